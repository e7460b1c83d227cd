import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { orCameraError } from "../../agent/camera-wait.ts";
import type { Camera } from "../../src/core/ports.ts";
import { SteppedClock } from "../lib/stepped-clock.ts";

const never = new AbortController().signal;
const health = { id: "drop", driver: "x", state: "running", framesCaptured: 0, framesSkipped: 0, restarts: 0 } as const;

describe("a command that waits for a picture", () => {
  it("gives up on a folder after seconds and on a camera after a minute, and says so", async () => {
    for (const [pace, seconds] of [
      ["every", 5],
      ["newest", 60],
    ] as const) {
      const clock = new SteppedClock();
      const camera: Pick<Camera, "id" | "health" | "pace"> = { id: "drop", pace, health: () => health };
      const untilAborted = async (signal: AbortSignal) => clock.sleep(3_600_000, signal);
      let fault: unknown;
      const waiting = orCameraError(camera, clock, untilAborted, never).catch((error: unknown) => (fault = error));
      await clock.advance(seconds * 1_000 - 100);
      assert.equal(fault, undefined);
      await clock.advance(300);
      await waiting;
      assert.match(String(fault), new RegExp(`no picture from drop in ${seconds} s`));
    }
  });
});
