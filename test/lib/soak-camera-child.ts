import { numberedPicture } from "./soak-pictures.ts";

/** A camera program: `node soak-camera-child.js PERIOD_MS` writes pictures that all differ, for ever. */
const periodMs = Number(process.argv[2] ?? 500);
setInterval(() => void numberedPicture(Date.now()).then((jpeg) => process.stdout.write(jpeg)), periodMs);
// On SIGUSR1 rubbish, into the middle of the stream.
process.on("SIGUSR1", () => process.stdout.write(Buffer.alloc(4_000, "not a picture ")));
process.stdout.on("error", () => process.exit(1));
