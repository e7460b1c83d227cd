import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder that holds package.json, models/ and config/, seen from the built `dist/agent`. */
export const packageFolder = join(dirname(fileURLToPath(import.meta.url)), "../..");

export function agentVersion(): string {
  const text: unknown = JSON.parse(readFileSync(join(packageFolder, "package.json"), "utf8"));
  if (typeof text === "object" && text !== null && "version" in text && typeof text.version === "string") {
    return text.version;
  }
  return "unknown";
}
