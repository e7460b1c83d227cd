import { handmadeJpeg, segment } from "./jpegs.ts";
import { mjpegServer } from "./mjpeg-server.ts";

/** `node mjpeg-child.js PORT`: an MJPEG server in a process of its own, to be killed and frozen. Says its port. */
const pictures = [1, 2, 3, 4].map((number) => handmadeJpeg(640, 480, segment(0xfe, Buffer.alloc(2_000, number))));
const server = await mjpegServer({ pictures }, { port: Number(process.argv[2] ?? 0) });
process.stdout.write(`${server.port}\n`);
