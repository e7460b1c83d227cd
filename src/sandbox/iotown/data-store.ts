import type { JsonObject } from "../checks.ts";

/** Rows and files that a sandbox keeps so that they can be read back, within bounds: past them the oldest go. */

export interface StoredRow {
  readonly id: string;
  readonly nid: string;
  readonly atMs: number;
  readonly value: JsonObject;
}

export interface RowQuery {
  readonly nid?: string;
  readonly from?: string;
  readonly to?: string;
  readonly ascending: boolean;
}

const rowsMax = 20_000;
const rowBytesMax = 16 * 1024 * 1024;
const fileBytesMax = 16 * 1024 * 1024;

export class RowStore {
  readonly #rows = new Map<string, StoredRow & { readonly sizeBytes: number }>();
  #sizeBytes = 0;
  #number = 0;

  keep(nid: string, value: JsonObject): string {
    this.#number += 1;
    const id = `row-${String(this.#number).padStart(6, "0")}`;
    const sizeBytes = JSON.stringify(value).length;
    this.#rows.set(id, { id, nid, atMs: Date.now(), value, sizeBytes });
    this.#sizeBytes += sizeBytes;
    while (this.#rows.size > rowsMax || (this.#sizeBytes > rowBytesMax && this.#rows.size > 1)) {
      const [oldest] = this.#rows.keys();
      this.drop(oldest ?? "");
    }
    return id;
  }

  drop(id: string): void {
    this.#sizeBytes -= this.#rows.get(id)?.sizeBytes ?? 0;
    this.#rows.delete(id);
  }

  select({ nid, from, to, ascending }: RowQuery): readonly StoredRow[] {
    const rows = [...this.#rows.values()].filter(
      (row) =>
        (nid === undefined || row.nid === nid) &&
        (from === undefined || row.atMs >= Date.parse(from)) &&
        (to === undefined || row.atMs <= Date.parse(to)),
    );
    return ascending ? rows : rows.reverse();
  }
}

export class FileStore {
  readonly #files = new Map<string, Buffer>();
  #sizeBytes = 0;

  keep(id: string, bytes: Buffer): void {
    this.#drop(id);
    // The body it lies in is larger, and would stay with it.
    this.#files.set(id, Buffer.from(bytes));
    this.#sizeBytes += bytes.length;
    while (this.#sizeBytes > fileBytesMax) {
      const [oldest] = this.#files.keys();
      this.#drop(oldest ?? "");
    }
  }

  bytes(id: string): Buffer | undefined {
    return this.#files.get(id);
  }

  #drop(id: string): void {
    this.#sizeBytes -= this.#files.get(id)?.length ?? 0;
    this.#files.delete(id);
  }
}
