import { JpegSplitter } from "../../src/capture/stream/jpeg-splitter.ts";
import { captureLimits } from "../../src/core/capture-limits.ts";
import { film } from "../lib/film.ts";
import { median, rounded, type BenchTable } from "./table.ts";

const judgedBytes = 65_536;
const ratioMin = 0.5;
/** Many short rounds: what else the machine does then falls on both ways alike. */
const rounds = 80;

/** Cutting a stream of JPEGs, against hopping from FF to FF over the same chunks, which is the least that it takes. */
export async function splitter(): Promise<BenchTable> {
  const frames = await film(8);
  const sizeBytes = frames.reduce((sum, frame) => sum + frame.length, 0);
  const rows: (string | number)[][] = [];
  let ratioAtJudged = 0;
  let foundAll = true;
  for (const chunkBytes of [1, 7, 4_096, judgedBytes, 300_000]) {
    const isTiny = chunkBytes < 100;
    const times = isTiny ? 1 : 25;
    const chunks = chunksOf(Buffer.concat(Array.from({ length: times }, () => frames).flat()), chunkBytes);
    let found = 0;
    // One for all rounds, as a camera has one for as long as it lives.
    const cutter = new JpegSplitter(captureLimits.jpegBytesMax, (view) => {
      if (view.length === frames[found % frames.length]?.length) found += 1;
    });
    const splitMs: number[] = [];
    const hopMs: number[] = [];
    const counted = isTiny ? 3 : rounds;
    const warmUp = isTiny ? 1 : 20;
    for (let round = -warmUp; round < counted; round += 1) {
      const hopped = timed(() => hop(chunks));
      found = 0;
      const split = timed(() => {
        for (const chunk of chunks) cutter.push(chunk);
      });
      if (round < 0) continue;
      hopMs.push(hopped);
      splitMs.push(split);
    }
    const expected = times * frames.length;
    foundAll &&= found === expected;
    const ratio = median(hopMs.map((ms, round) => ms / (splitMs[round] ?? Number.NaN)));
    if (chunkBytes === judgedBytes) ratioAtJudged = ratio;
    const rate = (ms: readonly number[]) => Math.round((times * sizeBytes) / median(ms) / 1_000);
    rows.push([chunkBytes, rate(hopMs), rate(splitMs), rounded(ratio, 2), `${found} of ${expected}`]);
  }
  return {
    title: `Splitter: JPEGs of ${Math.round(sizeBytes / frames.length / 1_000)} KB, every second with an EXIF thumbnail`,
    columns: ["chunk bytes", "indexOf(0xff) MB/s", "splitter MB/s", "ratio", "frames found"],
    rows,
    verdicts: [
      {
        name: "splitter at 64 KB chunks against indexOf(0xff)",
        value: rounded(ratioAtJudged, 2),
        bound: `≥ ${ratioMin}`,
        holds: ratioAtJudged >= ratioMin,
      },
      { name: "every frame found at every chunk size", value: foundAll ? 1 : 0, bound: "1", holds: foundAll },
    ],
  };
}

function chunksOf(stream: Buffer, chunkBytes: number): readonly Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = 0; at < stream.length; at += chunkBytes) chunks.push(stream.subarray(at, at + chunkBytes));
  return chunks;
}

function hop(chunks: readonly Buffer[]): number {
  let hops = 0;
  for (const chunk of chunks) {
    for (let at = chunk.indexOf(0xff); at !== -1; at = chunk.indexOf(0xff, at + 1)) hops += 1;
  }
  return hops;
}

function timed(work: () => unknown): number {
  const startedMs = performance.now();
  work();
  return performance.now() - startedMs;
}
