import { parentPort } from "node:worker_threads";
import { asAgentError } from "../../core/errors.ts";
import { end, type Method, type Reply, type Request } from "./messages.ts";
import { IndexOwner } from "./owner.ts";

/**
 * The index thread: one request at a time, in order. It ends itself when it is told to: the driver takes the whole process
 * down when a thread is terminated within one of its calls.
 */

const owner = new IndexOwner();
// The main thread's client typed the call; both sides are built together.
const methods = owner as unknown as Record<Method, (...values: readonly unknown[]) => unknown>;

function answer({ id, method, values }: Request): Reply {
  try {
    return { id, value: methods[method](...values) };
  } catch (error) {
    const { code, message, disposition } = asAgentError(error, `index ${method}`);
    return { id, error: { code, message, disposition } };
  }
}

parentPort?.on("message", (message: Request | typeof end) => {
  if (message === end) parentPort?.close();
  else parentPort?.postMessage(answer(message));
});
