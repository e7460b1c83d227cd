import assert from "node:assert/strict";
import { iotownImageBody } from "../../src/targets/iotown/encode.ts";
import { sampleJpeg } from "../lib/records.ts";
import type { BenchTable } from "./table.ts";

const labels = [{ name: "person", x: 0.5125, y: 0.44, w: 0.125, h: 0.3 }];
/** Many short rounds: what else the machine does then falls on both ways alike. */
const rounds = 80;
const callsPerRound = 8;
const judgedBytes = 200_000;

/** Building the request body of an upload, against the usual way, round by round in turn. */
export async function payload(): Promise<BenchTable> {
  const rows: (string | number)[][] = [];
  let ratioAtJudged = 0;
  for (const sizeBytes of [100_000, judgedBytes, 500_000]) {
    const jpeg = sampleJpeg(1, sizeBytes);
    const usual = (): Buffer => Buffer.from(JSON.stringify({ image: jpeg.toString("base64"), type: "jpg", labels }));
    const sliced = (): Buffer => iotownImageBody(jpeg, labels);
    assert.deepEqual(JSON.parse(sliced().toString()), JSON.parse(usual().toString()));
    const times = { usual: [] as number[], sliced: [] as number[] };
    for (let round = 0; round < rounds; round += 1) {
      times.usual.push(microseconds(usual));
      times.sliced.push(microseconds(sliced));
    }
    const [usualUs, slicedUs] = [median(times.usual), median(times.sliced)];
    if (sizeBytes === judgedBytes) ratioAtJudged = usualUs / slicedUs;
    rows.push([sizeBytes / 1_000, Math.round(usualUs), Math.round(slicedUs), Number((usualUs / slicedUs).toFixed(1))]);
  }
  return {
    title: "Payload of an upload: Buffer.from(JSON.stringify()) against slices (same bytes)",
    columns: ["JPEG KB", "usual µs", "slices µs", "times faster"],
    rows,
    verdicts: [
      {
        name: "payload build at 200 KB",
        value: Number(ratioAtJudged.toFixed(1)),
        bound: "≥ 8",
        holds: ratioAtJudged >= 8,
      },
    ],
  };
}

function microseconds(build: () => Buffer): number {
  const startedMs = performance.now();
  for (let call = 0; call < callsPerRound; call += 1) build();
  return ((performance.now() - startedMs) * 1_000) / callsPerRound;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
