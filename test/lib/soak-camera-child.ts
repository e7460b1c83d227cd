import { readFileSync } from "node:fs";
import { differentJpeg } from "./soak-pictures.ts";

/** A camera program: `node soak-camera-child.js JPEG PERIOD_MS NAME` writes pictures that all differ, for ever. */
const [file = "", periodMs = "500", name = ""] = process.argv.slice(2);
const base = readFileSync(file);
setInterval(
  () => process.stdout.write(differentJpeg(base, `${name} ${process.pid} ${Date.now()}`)),
  Number(periodMs),
);
// On SIGUSR1 one picture of rubbish, of which the next one is the end.
process.on("SIGUSR1", () => process.stdout.write(Buffer.alloc(4_000, "not a picture ")));
process.stdout.on("error", () => process.exit(1));
