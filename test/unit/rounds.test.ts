import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { exitCodes } from "../../agent/exit-codes.ts";
import { type Round, Rounds, throughRounds } from "../../agent/rounds.ts";
import { RecordingLogger } from "../lib/seams.ts";

/** Rounds that end by what each of them asks for; `stops` says whether each stopped cleanly. */
async function lives(
  asks: readonly ("config" | "restart" | "end" | "unstartable")[],
  { stops = [], waysBack = 0 }: { readonly stops?: readonly boolean[]; readonly waysBack?: number } = {},
) {
  const [rounds, ending, log] = [new Rounds(), new AbortController(), new RecordingLogger()];
  let [started, left] = [0, waysBack];
  const steps: string[] = [];
  const start = async (): Promise<Round> => {
    const ask = asks[started];
    started += 1;
    if (ask === "unstartable") throw new Error("not started");
    const serve = async (ended: AbortSignal): Promise<void> => {
      steps.push(ask ?? "too many");
      if (ask === "config" || ask === "restart") rounds.ask(ask);
      else ending.abort();
      assert.ok(ended.aborted);
    };
    const at = started - 1;
    return { serve, stop: async () => stops[at] ?? true };
  };
  const goBack = async () => (left -= 1) >= 0;
  const reload = async () => void steps.push("reload");
  const code = await throughRounds(rounds, { start, goBack, reload, log: () => log }, ending.signal);
  return { code, steps };
}

describe("the rounds of a daemon", () => {
  it("go on until its end, which is a good one where all stopped", async () => {
    assert.deepEqual(await lives(["config", "restart", "end"]), {
      code: exitCodes.ok,
      steps: ["config", "reload", "restart", "reload", "end"],
    });
  });

  it("end the process as failed where a part did not stop, and start nothing beside it", async () => {
    assert.deepEqual(await lives(["restart", "end"], { stops: [false] }), {
      code: exitCodes.failed,
      steps: ["restart"],
    });
    assert.deepEqual(await lives(["end"], { stops: [false] }), { code: exitCodes.failed, steps: ["end"] });
  });

  it("go back where one cannot be started, and fail where there is no way back", async () => {
    assert.deepEqual((await lives(["config", "unstartable", "end"], { waysBack: 1 })).steps, [
      "config",
      "reload",
      "end",
    ]);
    await assert.rejects(lives(["unstartable"]), { message: "not started" });
  });
});
