import type { Clock } from "../../src/core/clock.ts";
import { AgentError, asAgentError } from "../../src/core/errors.ts";
import type { Camera } from "../../src/core/ports.ts";
import type { BurstArgs, CapturePort } from "../../src/remote/commands/capture.ts";
import type { CommandCall } from "../../src/remote/command.ts";
import type { Agent } from "../compose.ts";
import { cameraAway, cameraNamed } from "./camera-away.ts";
import { pictureNow } from "./picture-now.ts";

const progressEveryMs = 1_000;

/** Pauses that last, and pictures in a row. */
export function capturePort(agent: Pick<Agent, "cameras" | "pauses" | "pipeline">, clock: Clock): CapturePort {
  const { cameras, pauses, pipeline } = agent;
  const chosen = (id: string | undefined) => (id === undefined ? cameras : [cameraNamed(cameras, id)]);
  return {
    async pause(cameraId, forMs, { dry }) {
      const meant = chosen(cameraId);
      if (!dry) await pauses.pause(idsOf(meant), forMs);
      const duration = forMs === undefined ? {} : { durationMs: forMs };
      return { cameras: meant.map(({ id }) => ({ camera: id, state: "paused", ...duration })) };
    },

    async resume(cameraId, { dry }) {
      const meant = chosen(cameraId);
      const before = meant.map((camera) => ({ camera: camera.id, wasPaused: camera.pauseLeftMs() !== undefined }));
      if (!dry) await pauses.resume(idsOf(meant));
      return { cameras: before };
    },

    async burst(args, call) {
      const camera = cameraNamed(cameras, args.camera);
      const { count, intervalMs } = args;
      if (!call.dry) {
        const one = async () => pictureNow({ camera, pipeline, clock }, false, call.signal);
        return { camera: camera.id, count, intervalMs, ...(await burst(one, args, call, clock)) };
      }
      const away = cameraAway(camera.health());
      if (away !== undefined) throw away;
      return { camera: camera.id, count, intervalMs, lastsMs: (count - 1) * intervalMs };
    },
  };
}

interface BurstTally {
  taken: number;
  readonly records: string[];
}

async function burst(
  one: () => ReturnType<typeof pictureNow>,
  { count, intervalMs }: BurstArgs,
  { signal, progress }: Pick<CommandCall, "signal" | "progress">,
  clock: Clock,
): Promise<object> {
  const startedMs = clock.monotonicMs();
  const tally: BurstTally = { taken: 0, records: [] };
  let toldMs = startedMs;
  const summary = () => {
    const stored = tally.records.length;
    return { taken: tally.taken, stored, notOwed: tally.taken - stored };
  };
  while (tally.taken < count) {
    const dueMs = startedMs + tally.taken * intervalMs;
    await clock.sleep(Math.max(0, dueMs - clock.monotonicMs()), signal);
    try {
      const processed = await one();
      tally.taken += 1;
      if (processed.kind === "stored") tally.records.push(processed.record.id);
    } catch (error) {
      const failure = asAgentError(error, "taking a burst");
      if (signal.aborted || tally.records.length === 0) throw failure;
      return { ...summary(), records: tally.records, endedBy: endOf(failure), message: failure.message };
    }
    if (clock.monotonicMs() - toldMs < progressEveryMs || tally.taken === count) continue;
    toldMs = clock.monotonicMs();
    progress({ ...summary(), count });
  }
  return { ...summary(), records: tally.records, endedBy: "count" };
}

/** In the words of replies. */
function endOf(failure: AgentError): string {
  return /^(SPOOL|DISK)_FULL$/.test(failure.code) ? "storage_full" : "camera_unavailable";
}

function idsOf(cameras: readonly Camera[]): readonly string[] {
  return cameras.map(({ id }) => id);
}
