import { createHash } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Agent, composeAgent } from "../../agent/compose.ts";
import { configSchema, type FramepostConfig } from "../../agent/config-schema.ts";
import { Lifecycle } from "../../agent/lifecycle.ts";
import type { AgentCommands } from "../../agent/remote/commands.ts";
import { snapshotPort } from "../../agent/remote/snapshot-port.ts";
import { PageMemory } from "../../agent/web/page-memory.ts";
import { pagePart } from "../../agent/web/page-part.ts";
import { webPart } from "../../agent/web/web-part.ts";
import { SystemClock } from "../../src/core/clock.ts";
import type { Seams } from "../../src/core/ports.ts";
import { maskVersionOf, type PrivacyMask } from "../../src/core/privacy.ts";
import { LogRing } from "../../src/log/ring.ts";
import { SandboxBroker } from "../../src/sandbox/broker.ts";
import { pageRoutes } from "../../src/web/page/routes.ts";
import type { WebPorts } from "../../src/web/ports.ts";
import { metadataMark, purpleIn, randomMask, secretPicture } from "./masked-pictures.ts";
import { until } from "./poll.ts";
import { RecordingLogger, seededRandom } from "./seams.ts";
import { tempFolder } from "./temp.ts";
import { never } from "./vision.ts";

/** A picture that somebody got to see, and of which camera. */
interface Sighting {
  readonly sink: string;
  readonly cameraId: string;
  readonly jpeg: Buffer;
}

interface MaskFigures {
  readonly masks: number;
  /** By sink. */
  readonly searched: ReadonlyMap<string, number>;
  /** Purple pixels within a mask, in all pictures of all sinks. */
  readonly leaked: number;
  /** Pictures with the metadata that they came with. */
  readonly marked: number;
  /** Records without the version of their camera's mask. */
  readonly unversioned: number;
  /** The same search in the pictures that the cameras gave: it would find them. */
  readonly planted: number;
}

interface MaskRunOptions {
  readonly seed: number;
  /** Each a camera of its own; at most 64. */
  readonly masks: number;
  readonly snapshots: number;
}

const width = 192;
const height = 144;

/**
 * Cameras with a random mask each, through the real pipeline with the real vision process. Every second picture lies as
 * EXIF says. Whatever came out anywhere is searched for what is under the masks.
 */
export async function maskRun({ seed, masks: count, snapshots }: MaskRunOptions): Promise<MaskFigures> {
  await using temp = await tempFolder();
  const random = seededRandom(seed);
  const masks = new Map<string, PrivacyMask>();
  let planted = 0;
  for (let at = 0; at < count; at += 1) {
    const [id, mask] = [`m${at}`, randomMask(random, width, height)];
    masks.set(id, mask);
    await mkdir(join(temp.path, id));
    for (const [number, orientation] of [1, 1 + (at % 8)].entries()) {
      const jpeg = await secretPicture(mask, orientation, random);
      planted += (await purpleIn(jpeg, mask)).inside;
      await writeFile(join(temp.path, id, `${number}.jpg`), jpeg);
    }
  }
  const published: Sighting[] = [];
  const broker = new SandboxBroker({ onPublish: ({ payload }) => published.push(sightingOf(payload)) });
  const { url } = await broker.start();
  try {
    const config = configOf(temp.path, masks, url);
    return {
      masks: count,
      planted,
      ...(await searchRun(config, { folder: temp.path, masks, published, snapshots })),
    };
  } finally {
    await broker.stop();
  }
}

function configOf(folder: string, masks: ReadonlyMap<string, PrivacyMask>, url: string): object {
  const everything = { includeEmpty: true, includeUnlabelled: true };
  return {
    device: { name: "gw" },
    cameras: [...masks].map(([id, mask]) => ({
      ...{ id, driver: "folder", path: join(folder, id), mode: "loop", interval: "700ms", privacy: { mask } },
      keep: { negativesEvery: 1 },
      imageHealth: false,
    })),
    web: { listen: "127.0.0.1:0" },
    targets: [
      { id: "set", kind: "folder", path: join(folder, "set"), ...everything },
      { id: "live", kind: "mqtt", url, topic: "framepost/gw/image/{camera}", ...everything },
      // What is owed to it stays in the spool.
      { id: "held", kind: "mqtt", url, enabled: false, ...everything },
    ],
  };
}

interface SearchParts {
  readonly folder: string;
  readonly masks: ReadonlyMap<string, PrivacyMask>;
  readonly published: readonly Sighting[];
  readonly snapshots: number;
}

async function searchRun(config: object, { folder, masks, published, snapshots }: SearchParts) {
  const seams = { clock: new SystemClock(), random: Math.random, log: new RecordingLogger() };
  const parsed = configSchema.parse(config);
  const agent = await composeAgent(parsed, { dataFolder: join(folder, "data") }, seams);
  const shown: Sighting[] = [];
  const frames = new Map<string, Set<string>>();
  agent.pipeline.onProcessed((cameraId, processed) => {
    if (!("seen" in processed)) return;
    const { jpeg } = processed.seen.image;
    const seen = frames.get(cameraId) ?? new Set();
    const isNew = seen.size < seen.add(createHash("sha256").update(jpeg).digest("hex")).size;
    frames.set(cameraId, seen);
    if (isNew) shown.push({ sink: "shown (Home Assistant)", cameraId, jpeg });
  });
  const { spool, vision, upload, sending, capturing } = agent.parts;
  const page = await shownPage(agent, parsed, seams);
  const lifecycle = new Lifecycle([spool, ...page.parts, vision, upload, ...sending, ...capturing], seams.log);
  await lifecycle.start(never);
  const sightings: Sighting[] = [];
  try {
    const isDone = () => [...masks.keys()].every((id) => (frames.get(id)?.size ?? 0) >= 2);
    await until(isDone, "two pictures of each camera", 240_000);
    sightings.push(...(await snapshotsOf(agent, [...masks.keys()].slice(0, snapshots))), ...(await page.pictures()));
    await until(async () => isDelivered(agent), "everything is delivered", 120_000);
    sightings.push(...shown, ...(await thumbnailsOf(agent, shown)), ...(await spooled(agent)));
    const { records, unversioned } = await versionsOf(agent, masks);
    if (records === 0) throw new Error("nothing lies in the spool");
    sightings.push(...published, ...(await dataSet(folder)));
    return { ...(await search(sightings, masks)), unversioned };
  } finally {
    await lifecycle.stop();
  }
}

/** The page of the agent, over HTTP: the newest frame of each camera, at this moment. */
async function shownPage(agent: Agent, config: FramepostConfig, seams: Seams) {
  const memory = new PageMemory();
  const nothing = { commands: [], status: {} as AgentCommands["status"], stop: () => undefined };
  const settings = { settings: { logRing: new LogRing() }, revision: () => 1 };
  const page = pagePart(config, { agent, memory, offered: nothing, settings, control: () => undefined }, seams);
  const ports: WebPorts = {
    late: () => [],
    unready: async () => [],
    health: async () => ({ state: "ok", stateForMs: 0, report: {} }),
    metrics: async () => "",
  };
  const web = await webPart(config, { ports, page: [pageRoutes(page.port, seams.clock)] }, seams);
  return {
    parts: [page, web],
    async pictures(): Promise<readonly Sighting[]> {
      const shown: Sighting[] = [];
      for (const { id, camera } of memory.frames.announce()) {
        const answer = await fetch(new URL(`/api/frames/${id}`, web.url()));
        if (!answer.ok) throw new Error(`the page answers ${answer.status}`);
        shown.push({ sink: "page", cameraId: camera, jpeg: Buffer.from(await answer.arrayBuffer()) });
      }
      return shown;
    },
  };
}

/** One request after the other, as whoever asks from afar does. */
async function snapshotsOf(agent: Agent, ids: readonly string[]): Promise<readonly Sighting[]> {
  const port = snapshotPort(agent, () => 10_000_000, new SystemClock());
  const taken: Sighting[] = [];
  for (const camera of ids) {
    const call = { dry: false, signal: never } as Parameters<typeof port.snapshot>[1];
    const { image } = (await port.snapshot({ camera, inline: true }, call)) as { image: { base64: string } };
    taken.push({ sink: "snapshot reply", cameraId: camera, jpeg: Buffer.from(image.base64, "base64") });
  }
  return taken;
}

/** Apart from what comes in meanwhile: as much as there was when this was asked. */
async function isDelivered(agent: Agent): Promise<boolean> {
  const { targets } = await agent.spool.stats();
  return targets.every(({ targetId, accepted }) => targetId === "held" || accepted > 0);
}

async function thumbnailsOf({ vision }: Agent, shown: readonly Sighting[]): Promise<readonly Sighting[]> {
  const small: Sighting[] = [];
  for (const { cameraId, jpeg } of shown) {
    const thumbnail = await vision.thumbnail(jpeg, { sideMax: 96, quality: 80 }, never);
    small.push({ sink: "thumbnail", cameraId, jpeg: thumbnail.jpeg });
  }
  return small;
}

async function listed(agent: Agent) {
  return agent.spool.list({ afterSequence: 0, recordsMax: 10_000 });
}

async function spooled(agent: Agent): Promise<readonly Sighting[]> {
  const found: Sighting[] = [];
  for (const { record } of await listed(agent)) {
    const jpeg = await agent.spool.queue.image(record.sequence);
    found.push({ sink: "spool", cameraId: record.cameraId, jpeg });
  }
  return found;
}

async function versionsOf(agent: Agent, masks: ReadonlyMap<string, PrivacyMask>) {
  const records = await listed(agent);
  const wrong = records.filter(({ record }) => {
    return record.maskVersion !== maskVersionOf({ mask: masks.get(record.cameraId) });
  });
  return { records: records.length, unversioned: wrong.length };
}

async function dataSet(folder: string): Promise<readonly Sighting[]> {
  const lines = (await readFile(join(folder, "set", "annotations.jsonl"), "utf8")).trimEnd().split("\n");
  const found: Sighting[] = [];
  for (const line of lines) {
    const { name, camera } = JSON.parse(line) as { name: string; camera: string };
    const jpeg = await readFile(join(folder, "set", "images", name));
    found.push({ sink: "data set", cameraId: camera, jpeg });
  }
  return found;
}

function sightingOf(payload: Buffer): Sighting {
  const { camera, image } = JSON.parse(payload.toString()) as { camera: string; image: string };
  return { sink: "MQTT", cameraId: camera, jpeg: Buffer.from(image, "base64") };
}

async function search(sightings: readonly Sighting[], masks: ReadonlyMap<string, PrivacyMask>) {
  const searched = new Map<string, number>();
  let [leaked, marked] = [0, 0];
  // The same picture lies in several places: it is decoded once.
  const known = new Map<string, number>();
  for (const { sink, cameraId, jpeg } of sightings) {
    const mask = masks.get(cameraId);
    if (mask === undefined) throw new Error(`${sink} shows a picture of ${cameraId}`);
    const key = `${cameraId} ${createHash("sha256").update(jpeg).digest("hex")}`;
    const inside = known.get(key) ?? (await purpleIn(jpeg, mask)).inside;
    known.set(key, inside);
    leaked += inside;
    if (jpeg.includes(metadataMark)) marked += 1;
    searched.set(sink, (searched.get(sink) ?? 0) + 1);
  }
  return { searched, leaked, marked };
}
