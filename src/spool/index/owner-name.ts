import { readFileSync, writeFileSync } from "node:fs";

/** Who owns the folder. For error texts only, so that nothing in its place is a reason not to start. */
export function sign(path: string): void {
  try {
    writeFileSync(path, `process ${process.pid}\n`);
  } catch {
    return;
  }
}

export function ownerOf(path: string): string {
  try {
    return readFileSync(path, "utf8").trim().slice(0, 40);
  } catch {
    return "unknown";
  }
}
