import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { afterEach, beforeEach, describe, it } from "mocha";
import { AgentProcess } from "../lib/agent.ts";
import { needsProgram } from "../lib/programs.ts";
import { tempFolder } from "../lib/temp.ts";

interface Summary {
  readonly complete: boolean;
  readonly recordsKept: number;
  readonly accepted: Readonly<Record<string, number>>;
  readonly contractViolations: number;
  readonly truth: {
    readonly images: number;
    readonly objects: number;
    readonly found: number;
    readonly extra: number;
    readonly worstEdgePixels: number;
  };
  readonly stagesMs: Readonly<Record<string, { readonly p50: number; readonly p95: number }>>;
  readonly peakMemoryBytes: { readonly main: number; readonly vision: number };
}

const escape = "\u001b";

describe("demo, as its user runs it", function () {
  this.timeout(30_000);
  let temp: Awaited<ReturnType<typeof tempFolder>>;
  let agent: AgentProcess;

  function start(words: readonly string[], inside?: readonly string[]): void {
    agent = new AgentProcess(["demo", "--interval", "60", ...words], {
      env: { TMPDIR: temp.path, HOME: temp.path },
      ...(inside === undefined ? {} : { inside }),
    });
  }

  /** What both targets have taken, by the last status line. */
  function acceptedByBoth(shown: string): number {
    const counts =
      shown
        .match(/→ iotown \d+.*→ mqtt \d+/g)
        ?.at(-1)
        ?.match(/\d+/g) ?? [];
    return counts.length === 0 ? 0 : Math.min(...counts.map(Number));
  }

  async function leftNothingBehind(): Promise<void> {
    assert.equal(agent.groupLives(), false, "a process is left");
    assert.deepEqual(await readdir(temp.path, { recursive: true }), [], "files are left in the home or temp folder");
    assert.doesNotMatch(agent.stderr.join("\n"), /^\s+at /m, "a stack trace");
  }

  beforeEach(async () => {
    temp = await tempFolder();
  });

  afterEach(async () => {
    await agent[Symbol.asyncDispose]();
    await temp[Symbol.asyncDispose]();
  });

  it("ends by itself after the frames asked for, and its last line says what happened", async () => {
    start(["--frames", "12", "--json"]);
    assert.deepEqual(await agent.ended(), { code: 0, signal: null });
    const summary = JSON.parse(agent.stdout.at(-1) ?? "") as Summary;
    assert.equal(summary.complete, true);
    assert.deepEqual(summary.accepted, { iotown: summary.recordsKept, mqtt: summary.recordsKept });
    assert.equal(summary.recordsKept, 12);
    assert.equal(summary.contractViolations, 0);
    const { truth } = summary;
    assert.equal(truth.images, 12);
    assert.ok(truth.objects >= 12);
    assert.deepEqual([truth.found, truth.extra], [truth.objects, 0]);
    assert.ok(truth.worstEdgePixels <= 2, `worst edge ${truth.worstEdgePixels} px`);
    const stages = [
      "upright",
      "decode",
      "measure",
      "fill",
      "run",
      "post",
      "round",
      "append",
      "deliver iotown",
      "deliver mqtt",
    ];
    assert.deepEqual(Object.keys(summary.stagesMs), stages);
    for (const [stage, { p50, p95 }] of Object.entries(summary.stagesMs)) assert.ok(p95 >= p50 && p95 > 0, stage);
    for (const bytes of Object.values(summary.peakMemoryBytes)) assert.ok(bytes > 20e6 && bytes < 600e6, `${bytes}`);
    assert.ok(!agent.stderr.join("\n").includes(escape), "escape codes where nobody sees them");
    await leftNothingBehind();
  });

  /** Within three seconds, and what it says of its work then. */
  async function endsQuickly(signal: () => void, code: number): Promise<void> {
    const sentMs = performance.now();
    signal();
    assert.deepEqual(await agent.ended(), { code, signal: null });
    assert.ok(performance.now() - sentMs < 3_000, `${performance.now() - sentMs} ms`);
    assert.match(agent.stdout.join("\n"), /^records kept +\d+$/m);
    assert.match(agent.stdout.join("\n"), /^contract +0 violations$/m);
    await leftNothingBehind();
  }

  it("ends cleanly and quickly on SIGTERM, with its summary", async () => {
    start([]);
    await agent.until("records accepted", () => acceptedByBoth(agent.stderr.join("\n")) >= 3);
    await endsQuickly(() => agent.kill("SIGTERM"), 0);
  });

  it("ends cleanly on a signal that comes while it starts", async () => {
    start([]);
    await agent.until("its first line", () => agent.stderr.length > 0);
    agent.killGroup("SIGINT");
    assert.deepEqual(await agent.ended(), { code: 130, signal: null });
    await leftNothingBehind();
  });

  it("shows one live line in a terminal, and ends cleanly and quickly on Ctrl-C, with its summary", async function () {
    needsProgram(this, "script", "bsdutils");
    start([], ["script", "-qec", "@", "/dev/null"]);
    await agent.until("records accepted", () => acceptedByBoth(agent.stdoutText) >= 3);
    await endsQuickly(() => agent.type("\u0003"), 130);
    const shown = agent.stdoutText;
    const drawings = shown.split(`\r${escape}[2K`).filter((drawn) => /^frames \d/.test(drawn));
    assert.ok(drawings.length >= 3, `drawn ${drawings.length} times`);
    for (const drawn of drawings) assert.ok(!drawn.includes("\n") && drawn.length < 80, JSON.stringify(drawn));
  });
});
