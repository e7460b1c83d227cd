import { median } from "../bench/table.ts";
import type { BenchTable } from "../bench/table.ts";
import { runStreet, streetRuns, type StreetFigures } from "../lib/street-run.ts";
import { never, tinyModel, visionProcess } from "../lib/vision.ts";

const width = 1_280;
const height = 720;
const entriesEach = Number(process.env["FRAMEPOST_STREET_ENTRIES"] ?? 30);
const visibleMin = 200;

/** `npm run test:endurance -- motion-gate`: objects that the motion gate keeps from the model altogether. */
export async function motionGate(seed: number): Promise<BenchTable> {
  await using vision = visionProcess({ model: await tinyModel() });
  await vision.start(never);
  const all: StreetFigures[] = [];
  for (const run of streetRuns(width, height)) all.push(await runStreet(vision, run, { seed, entries: entriesEach }));
  const sum = (of: (figures: StreetFigures) => number) => all.reduce((total, figures) => total + of(figures), 0);
  const [missed, visible] = [sum((figures) => figures.missed), sum((figures) => figures.visible)];
  const stillShares = all.map(({ still, frames }) => still / frames);
  return {
    title: `Motion gate: objects of at least 3 % of a ${width} x ${height} picture that enter a simulated street`,
    columns: ["street", "entered", "seen without the gate", "missed because of it", "frames", "of these still"],
    rows: all.map(({ name, entries, visible: seen, missed: lost, frames, still }) => [
      name,
      entries,
      seen,
      lost,
      frames,
      still,
    ]),
    verdicts: [
      { name: "missed because of the gate", value: missed, bound: "0", holds: missed === 0 },
      {
        name: "objects that the model sees without it",
        value: visible,
        bound: `≥ ${visibleMin}`,
        holds: visible >= visibleMin,
      },
      {
        name: "median share of still frames",
        value: Number(median(stillShares).toFixed(2)),
        bound: "≥ 0.3",
        holds: median(stillShares) >= 0.3,
      },
    ],
  };
}
