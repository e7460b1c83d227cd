import { join } from "node:path";
import { SystemClock } from "../../src/core/clock.ts";
import { HttpStream } from "../../src/link/http-stream.ts";
import { ModelDownloads } from "../../src/models/download.ts";
import { modelFileName, ModelStore } from "../../src/models/store.ts";
import { RecordingLogger } from "./seams.ts";

/** Run as a process of its own, to be killed: brings one model in, as its one argument says. */

interface Job {
  readonly folder: string;
  readonly url: string;
  readonly sha256: string;
  readonly bytes: number;
  readonly version: string;
  readonly flushBytes: number;
}

const { folder, version, flushBytes, ...request } = JSON.parse(process.argv[2] ?? "{}") as Job;
const store = new ModelStore(folder);
const seams = { clock: new SystemClock(), random: Math.random, log: new RecordingLogger() };
const limits = { downloadFlushBytes: flushBytes };
const downloads = new ModelDownloads({ folder, http: new HttpStream(), limits }, seams);
const staged = await store.stage({ name: "model", version });
await downloads.fetch({ ...request, bytesMax: request.bytes }, join(staged.folder, modelFileName), {
  signal: new AbortController().signal,
  freeBytesMin: 0,
});
