import { setImmediate } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import { asAgentError } from "../../core/errors.ts";
import { indexDamaged } from "./codes.ts";
import { classified, type Connection, connectToRead, damageError, textIn } from "./database.ts";
import type { Verdict } from "./messages.ts";

/**
 * The thread that checks the index while the index thread works: it reads beside it, one table at a time, with a
 * connection of its own. Any message ends it after the table at hand. It is never to be terminated from outside: the
 * driver takes the whole process down when a thread ends within one of its calls.
 */

let stopped = false;

async function check(path: string): Promise<Verdict> {
  let connection: Connection | undefined;
  try {
    connection = connectToRead(path);
    const tables = tablesOf(connection);
    for (const table of tables) {
      const problem = problemIn(connection, table);
      if (problem !== "ok") throw damageError(`check ${path}: ${problem}`);
      await setImmediate();
      if (stopped) return { kind: "stopped" };
    }
    return { kind: "whole" };
  } catch (error) {
    const { code, message } = asAgentError(error, `check ${path}`);
    return code === indexDamaged ? { kind: "damaged", message } : { kind: "failed", code, message };
  } finally {
    connection?.close();
  }
}

function tablesOf(connection: Connection): readonly string[] {
  const rows = classified("list the tables", () =>
    connection.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all(),
  );
  return rows.map((row) => textIn(row, "name") ?? "");
}

function problemIn(connection: Connection, table: string): string {
  const name = table.replaceAll('"', '""');
  return classified(`check table ${table}`, () => {
    const row = connection.prepare(`PRAGMA quick_check("${name}")`).get();
    return textIn(row, "quick_check") ?? "no answer";
  });
}

if (parentPort !== null) {
  const port = parentPort;
  port.on("message", () => (stopped = true));
  port.postMessage(await check(String(workerData)));
  port.close();
}
