import { readFile, writeFile } from "node:fs/promises";
import { agentIdle } from "./agent-idle.ts";
import { agentMemory } from "./agent-memory.ts";
import { agentStart } from "./agent-start.ts";
import { cameraFfmpeg } from "./camera-ffmpeg.ts";
import { captureDrop } from "./capture-drop.ts";
import { iotownUpload } from "./iotown-upload.ts";
import { machineFacts, markdownOf } from "./markdown.ts";
import { motionGate } from "./motion-gate.ts";
import { mqttUpload } from "./mqtt-upload.ts";
import { parity } from "./parity.ts";
import { payload } from "./payload.ts";
import { platformUpload } from "./platform-upload.ts";
import { privacyMask } from "./privacy-mask.ts";
import { spoolAppend } from "./spool-append.ts";
import { spoolBoot } from "./spool-boot.ts";
import { spoolDevice } from "./spool-device.ts";
import { spoolRebuild } from "./spool-rebuild.ts";
import { spoolStall } from "./spool-stall.ts";
import { splitter } from "./splitter.ts";
import type { BenchTable } from "./table.ts";
import { tiles } from "./tiles.ts";
import { visionBoundary } from "./vision-boundary.ts";
import { visionMemory } from "./vision-memory.ts";
import { visionShare } from "./vision-share.ts";

/**
 * `npm run bench [-- name …] [-- --write]`: ratios within one run, medians. `--write` puts the tables of this run into
 * docs/benchmarks.md. Exit 1 when a bound does not hold.
 */
const benches: Readonly<Record<string, () => Promise<BenchTable>>> = {
  payload,
  "iotown-upload": iotownUpload,
  "mqtt-upload": mqttUpload,
  "platform-upload": platformUpload,
  "vision-boundary": visionBoundary,
  "vision-share": visionShare,
  "vision-memory": visionMemory,
  "motion-gate": motionGate,
  "privacy-mask": privacyMask,
  parity,
  tiles,
  "spool-append": spoolAppend,
  "spool-device": spoolDevice,
  "spool-stall": spoolStall,
  "spool-boot": spoolBoot,
  "spool-rebuild": spoolRebuild,
  splitter,
  "capture-drop": captureDrop,
  "agent-start": agentStart,
  "agent-memory": agentMemory,
  "agent-idle": agentIdle,
  "camera-ffmpeg": cameraFfmpeg,
};

const words = process.argv.slice(2);
const wanted = words.filter((word) => word !== "--write");
const unknown = wanted.filter((name) => benches[name] === undefined);
if (unknown.length > 0) {
  process.stderr.write(`no bench ${unknown.join(", ")}; there are ${Object.keys(benches).join(", ")}\n`);
  process.exit(2);
}

const sections = new Map<string, string>();
let missed = 0;
for (const [name, bench] of Object.entries(benches)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const table = await bench();
  const section = markdownOf(table, `npm run bench -- ${name}`);
  process.stdout.write(`${section}\n`);
  sections.set(name, section);
  missed += table.verdicts.filter(({ holds }) => !holds).length;
}
if (words.includes("--write")) await writePage();
process.exit(missed === 0 ? 0 : 1);

/** What was not measured now stays as it was. */
async function writePage(): Promise<void> {
  const page = "docs/benchmarks.md";
  const [, ...before] = (await readFile(page, "utf8")).split(/^(?=## )/m);
  const kept = before.map(
    (section) => [/^`npm run bench -- (\S+)`$/m.exec(section)?.[1] ?? "", section.trim()] as const,
  );
  const all = new Map([...kept, ...sections]);
  const ordered = Object.keys(benches).flatMap((name) => all.get(name)?.trim() ?? []);
  await writeFile(page, `${head()}\n${ordered.join("\n\n")}\n`);
}

function head(): string {
  return `# Benchmarks

Ratios within one run, medians of interleaved rounds; absolute figures only describe the machine. Repeat all with
\`npm run bench\`, one with \`npm run bench -- payload\`; this page is written by \`npm run bench -- --write\`.

${machineFacts()}`;
}
