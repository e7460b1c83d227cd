/** Bytes, as a file system counts them. */
export const KB = 1024;
export const MB = 1024 * KB;

/** Of elapsed time: a day of the calendar is 23 or 25 hours long twice a year. */
export const dayMs = 24 * 60 * 60_000;
