import { readFile } from "node:fs/promises";
import { execDriver } from "../../src/capture/exec/driver.ts";
import { ffmpegCamera, ffmpegOptions } from "../../src/capture/ffmpeg/config.ts";
import { ffmpegDriver } from "../../src/capture/ffmpeg/driver.ts";
import { HttpMjpegDriver } from "../../src/capture/http/mjpeg.ts";
import type { CaptureLimits } from "../../src/capture/judge.ts";
import { SystemClock } from "../../src/core/clock.ts";
import type { RestartSource } from "./camera-restarts.ts";
import { MjpegProcess } from "./mjpeg-process.ts";
import { ownChildren } from "./own-processes.ts";
import { until } from "./poll.ts";
import { RtspServer } from "./rtsp-server.ts";
import { seededRandom } from "./seams.ts";
import { unusedPort } from "./servers.ts";

/** A real ffmpeg that draws and encodes its pictures, behind the exec driver. */
export function execFfmpeg(limits: Partial<CaptureLimits>): RestartSource {
  const drawn = ["-re", "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=20"];
  const command = ["ffmpeg", "-nostdin", "-loglevel", "error", ...drawn, "-f", "image2pipe", "-c:v", "mjpeg", "pipe:1"];
  return {
    name: "exec: ffmpeg, drawn pictures",
    driver: execDriver({ command }, new SystemClock(), limits),
    kill: async () => signalChildren("ffmpeg", "SIGKILL"),
    freeze: async () => signalChildren("ffmpeg", "SIGSTOP"),
  };
}

/** An MJPEG server in a process of its own, read by the driver in pure Node. */
export async function httpMjpeg(limits: Partial<CaptureLimits>): Promise<RestartSource> {
  const port = await unusedPort();
  const server = await new MjpegProcess(port).start();
  const seams = { clock: new SystemClock(), random: seededRandom(1), limits };
  return {
    name: "http-mjpeg",
    driver: new HttpMjpegDriver({ url: `http://127.0.0.1:${port}/`, timeoutMs: 5_000 }, seams),
    kill: () => server.kill(),
    freeze: async () => server.freeze(),
    restore: () => server.revive(),
    dispose: () => server.kill(),
  };
}

/** A GStreamer RTSP server that wants Digest, its H.264 decoded and encoded by ffmpeg. */
export async function rtspDigest(limits: Partial<CaptureLimits>): Promise<RestartSource> {
  const [username, password] = ["viewer", "the password"];
  const server = await new RtspServer(username, password).start();
  const camera = { id: "yard", driver: "ffmpeg", input: server.url("digest", "/h264"), username, password };
  return {
    name: "ffmpeg: RTSP, Digest, H.264",
    driver: ffmpegDriver(ffmpegOptions(ffmpegCamera.parse(camera)), new SystemClock(), limits),
    kill: () => server.kill(),
    freeze: async () => server.signal("SIGSTOP"),
    restore: () => server.revive(),
    dispose: () => server.kill(),
  };
}

/**
 * To each child of this process whose command line begins with `program`. There is none for a moment where a busy machine
 * made its watchdog replace it: then it is waited for.
 */
export async function signalChildren(program: string, signal: NodeJS.Signals): Promise<void> {
  await until(async () => (await signalledNow(program, signal)) > 0, `a ${program} that is running`);
}

async function signalledNow(program: string, signal: NodeJS.Signals): Promise<number> {
  let signalled = 0;
  for (const pid of await ownChildren()) {
    const commandLine = await readFile(`/proc/${pid}/cmdline`, "latin1").catch(() => "");
    if (!commandLine.split("\0")[0]?.endsWith(program)) continue;
    process.kill(pid, signal);
    signalled += 1;
  }
  return signalled;
}
