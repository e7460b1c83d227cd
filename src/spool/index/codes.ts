/** The index is no usable database any more; it lies apart so that the main thread can name it without loading SQLite. */
export const indexDamaged = "SPOOL_INDEX_DAMAGED";
