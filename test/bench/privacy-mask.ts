import type { PrivacyMask } from "../../src/core/privacy.ts";
import { randomScene, sceneHeight, sceneWidth } from "../lib/scenes.ts";
import { seededRandom } from "../lib/seams.ts";
import { never, tinyModel, visionProcess } from "../lib/vision.ts";
import { median, percentile, rounded, type BenchTable } from "./table.ts";

/** What a privacy mask costs: one more decode and encode of each frame that is taken, against a detection of the same. */

const ROUNDS = 60;
const WARM_UP = 10;
/** Of a detection, the fastest there is: with a usual model the share is far smaller. */
const BOUND = 6;
const BYTES_BOUND = 1.6;

export async function privacyMask(): Promise<BenchTable> {
  await using vision = visionProcess({ model: await tinyModel(), threads: 1 });
  await vision.start(never);
  const size = { width: sceneWidth, height: sceneHeight };
  const corner = (x: number, y: number) => [x * sceneWidth, y * sceneHeight] as const;
  const few: PrivacyMask = { size, polygons: [[corner(0, 0), corner(0.4, 0), corner(0.3, 0.4), corner(0, 0.3)]] };
  const random = seededRandom(5);
  const anywhere = () => corner(random(), random());
  const many: PrivacyMask = {
    size,
    polygons: Array.from({ length: 64 }, () => Array.from({ length: 64 }, anywhere)),
  };
  const { svg } = randomScene(seededRandom(1));
  const noise = `<filter id="n"><feTurbulence type="turbulence" baseFrequency="0.4" numOctaves="2" seed="1"/></filter>
    <rect width="100%" height="100%" filter="url(#n)" opacity="0.35"/>`;
  const { jpeg } = await vision.render(svg.replace("</svg>", `${noise}</svg>`), { quality: 85 }, never);
  const box = { left: 100, top: 100, width: 200, height: 400 };
  const work = {
    detect: async () => vision.detect(jpeg, { exact: false }, never),
    few: async () => vision.paint(jpeg, few, never),
    many: async () => vision.paint(jpeg, many, never),
    blur: async () => vision.pixelate(jpeg, [box], never),
  };
  const times = { detect: [] as number[], few: [] as number[], many: [] as number[], blur: [] as number[] };
  for (let round = -WARM_UP; round < ROUNDS; round += 1) {
    for (const name of ["detect", "few", "many", "blur"] as const) {
      const startedMs = performance.now();
      await work[name]();
      if (round >= 0) times[name].push(performance.now() - startedMs);
    }
  }
  const ratio = (of: readonly number[]) => rounded(median(of) / median(times.detect));
  const painted = await vision.paint(jpeg, few, never);
  const bytes = rounded(painted.jpeg.length / jpeg.length);
  const row = (what: string, of: readonly number[]) => [
    what,
    rounded(median(of)),
    rounded(percentile(of, 0.9)),
    ratio(of),
  ];
  return {
    title: `Privacy masks, one ${sceneWidth} x ${sceneHeight} frame of ${Math.round(jpeg.length / 1024)} KB (ms)`,
    columns: ["what", "median", "p90", "to a detection"],
    rows: [
      row("a detection with the smallest model", times.detect),
      row("a mask of one polygon", times.few),
      row("a mask of 64 polygons with 64 corners each", times.many),
      row("a blurred box", times.blur),
      ["size of the painted picture to the frame's, at quality 85", bytes, "", ""],
    ],
    verdicts: [
      { name: "a mask to a detection", value: ratio(times.few), bound: `≤ ${BOUND}`, holds: ratio(times.few) <= BOUND },
      { name: "painted bytes to the frame's", value: bytes, bound: `≤ ${BYTES_BOUND}`, holds: bytes <= BYTES_BOUND },
    ],
  };
}
