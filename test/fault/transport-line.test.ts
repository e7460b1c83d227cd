import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { before, describe } from "mocha";
import { missing, needsProgram } from "../lib/programs.ts";
import { survives } from "../lib/transport-faults.ts";

const child = fileURLToPath(new URL("../lib/slow-line-child.js", import.meta.url));

interface Result {
  readonly stored: number;
  readonly lost: number;
  readonly violations: number;
  readonly tookMs: number;
  readonly noticedMs: number;
}

/** A network namespace of its own, where the machine allows that. */
function apart(...words: readonly string[]) {
  const user = process.getuid?.() === 0 ? [] : ["--map-root-user"];
  return spawnSync("unshare", [...user, "--net", ...words], { encoding: "utf8", timeout: 40_000 });
}

function overLine(how: "slow" | "cut", count: number, sizeBytes: number): Result {
  const { stdout, stderr } = apart(process.execPath, child, how, String(count), String(sizeBytes));
  assert.ok(stdout.endsWith("}\n"), stderr);
  return JSON.parse(stdout) as Result;
}

describe("the delivery loop survives, on a line of its own", function () {
  this.timeout(60_000);

  before(function () {
    needsProgram(this, "unshare", "util-linux");
    needsProgram(this, "tc", "iproute2");
    needsProgram(this, "nft", "nftables");
    const rules = "tc qdisc add dev lo root tbf rate 2mbit burst 5kb latency 400ms && nft add table inet line";
    if (apart("sh", "-c", `ip link set lo up && ${rules}`).status !== 0) {
      missing(this, "network namespaces with tbf and nftables");
    }
  });

  survives("line of 2 Mbit/s with 2 % loss", () => {
    const { stored, lost, violations, tookMs } = overLine("slow", 4, 60_000);
    assert.deepEqual([stored, lost, violations], [4, 0, 0]);
    // 4 pictures of 60 KB are 320 KB as base64: 1.28 s at 2 Mbit/s.
    assert.ok(tookMs > 1_200, `${tookMs} ms: the line was not slow`);
  });

  survives("half-open connection, packets dropped", () => {
    const { stored, lost, violations, noticedMs } = overLine("cut", 1, 20_000);
    assert.deepEqual([stored, lost, violations], [2, 0, 0]);
    assert.ok(noticedMs > 900, `${noticedMs} ms: the line was not cut`);
  });
});
