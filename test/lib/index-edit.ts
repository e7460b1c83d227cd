import Database from "libsql";
import { layoutOf } from "../../src/spool/layout.ts";

/** Changes the index of a spool that is stopped, past everything that keeps it right. */
export function editIndex(folder: string, sql: string): void {
  const database = new Database(layoutOf(folder).index);
  database.exec(sql);
  database.close();
}
