import { setTimeout as delay } from "node:timers/promises";

/** Waits until `check` holds, looking every 10 ms; fails naming `what` after `limitMs`. */
export async function until(check: () => boolean | Promise<boolean>, what: string, limitMs = 10_000): Promise<void> {
  const deadline = performance.now() + limitMs;
  while (!(await check())) {
    if (performance.now() > deadline) throw new Error(`waited ${limitMs} ms in vain for: ${what}`);
    await delay(10);
  }
}
