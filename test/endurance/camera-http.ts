import { readdir } from "node:fs/promises";
import { HttpMjpegDriver } from "../../src/capture/http/mjpeg.ts";
import { SupervisedCamera } from "../../src/capture/supervisor.ts";
import { SystemClock } from "../../src/core/clock.ts";
import { atMost, median, rounded, type BenchTable } from "../bench/table.ts";
import { MjpegProcess } from "../lib/mjpeg-process.ts";
import { until } from "../lib/poll.ts";
import { RecordingLogger, seededRandom } from "../lib/seams.ts";
import { unusedPort } from "../lib/servers.ts";

const kills = Number(process.env["FRAMEPOST_CAMERA_KILLS"] ?? 100);
const freezes = Number(process.env["FRAMEPOST_CAMERA_FREEZES"] ?? 20);
/** Lower than an agent's, which would make this take an hour: the way back is the same. */
const limits = {
  backoffFirstMs: 20,
  backoffMaxMs: 200,
  healthyAfterMs: 60_000,
  startTimeoutMs: 2_000,
  watchdogMinMs: 500,
};
/** The longest back-off, a start, and the first picture, on a loaded machine. */
const backWithinMs = 5_000;

/** `npm run test:endurance -- camera-http`: a stream whose server is killed and frozen again and again. */
export async function cameraHttp(seed: number): Promise<BenchTable> {
  const port = await unusedPort();
  await using server = await new MjpegProcess(port).start();
  const descriptorsBefore = await openDescriptors();
  const seams = { clock: new SystemClock(), random: seededRandom(seed), limits };
  const driver = new HttpMjpegDriver({ url: `http://127.0.0.1:${port}/`, timeoutMs: 1_000 }, seams);
  const options = { id: "yard", driver, intervalMs: 20, limits };
  const camera = new SupervisedCamera(options, { ...seams, log: new RecordingLogger() });
  await camera.start(new AbortController().signal);
  await msToFrame(camera);

  const afterKill: number[] = [];
  const afterFreeze: number[] = [];
  let rssBytes = 0;
  for (let round = 0; round < kills; round += 1) {
    await lost(camera, () => server.kill());
    await server.start();
    afterKill.push(await msToFrame(camera));
    // What the runtime takes for itself it has taken by then.
    if (round === Math.floor(kills / 2)) rssBytes = process.memoryUsage.rss();
  }
  for (let round = 0; round < freezes; round += 1) {
    await lost(camera, async () => server.freeze());
    server.thaw();
    afterFreeze.push(await msToFrame(camera));
  }
  const grownMb = rounded((process.memoryUsage.rss() - rssBytes) / 2 ** 20, 1);
  await camera.stop();
  const none = async () => (await openDescriptors()) <= descriptorsBefore;
  await until(none, "every descriptor to be closed").catch(() => undefined);

  const row = (what: string, times: readonly number[]) =>
    [what, times.length, rounded(median(times), 0), rounded(Math.max(...times), 0)] as const;
  return {
    title: "Cameras: an MJPEG server killed and frozen",
    columns: ["the server was", "times", "ms from its return to a frame", "at most"],
    rows: [row("killed", afterKill), row("frozen", afterFreeze)],
    verdicts: [
      atMost("slowest return", rounded(Math.max(...afterKill, ...afterFreeze), 0), backWithinMs, "ms"),
      atMost("descriptors left behind", (await openDescriptors()) - descriptorsBefore, 0),
      atMost("memory grown over the second half", grownMb, 16, "MB"),
    ],
  };
}

/** Does it, and waits until the camera has noticed. */
async function lost(camera: SupervisedCamera, harm: () => Promise<void>): Promise<void> {
  const { restarts } = camera.health();
  await harm();
  await until(() => camera.health().restarts > restarts, "the camera to notice", backWithinMs);
}

/** Fails where no frame comes for so long that the camera is as good as dead. */
async function msToFrame(camera: SupervisedCamera): Promise<number> {
  const begunMs = performance.now();
  const { framesCaptured } = camera.health();
  await until(() => camera.health().framesCaptured > framesCaptured, "a frame", 6 * backWithinMs);
  return performance.now() - begunMs;
}

async function openDescriptors(): Promise<number> {
  return (await readdir("/proc/self/fd")).length;
}
