import { readFile } from "node:fs/promises";
import { execDriver } from "../../src/capture/exec/driver.ts";
import type { CaptureLimits } from "../../src/capture/judge.ts";
import { SystemClock } from "../../src/core/clock.ts";
import type { RestartSource } from "./camera-restarts.ts";
import { ownChildren } from "./own-processes.ts";

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

/** To each child of this process whose command line begins with `program`; there has to be one. */
export async function signalChildren(program: string, signal: NodeJS.Signals): Promise<void> {
  let signalled = 0;
  for (const pid of await ownChildren()) {
    const commandLine = await readFile(`/proc/${pid}/cmdline`, "latin1").catch(() => "");
    if (!commandLine.split("\0")[0]?.endsWith(program)) continue;
    process.kill(pid, signal);
    signalled += 1;
  }
  if (signalled === 0) throw new Error(`no ${program} is running`);
}
