import { thresholdFor } from "../../src/core/detections.ts";
import { pageLimits } from "../../src/core/page-limits.ts";
import type { Seams } from "../../src/core/ports.ts";
import { maskVersionOf } from "../../src/core/privacy.ts";
import type { Detection } from "../../src/core/types.ts";
import type { LogRing } from "../../src/log/ring.ts";
import type { Processed } from "../../src/pipeline/processed.ts";
import type { KnownPicture } from "../../src/web/page/frames.ts";
import type { Sighting } from "../../src/web/page/sightings.ts";
import type { LogTail, PagePort, Section, SeenPicture } from "../../src/web/page/ports.ts";
import type { Agent } from "../compose.ts";
import type { FramepostConfig } from "../config-schema.ts";
import type { Part } from "../lifecycle.ts";
import type { AgentCommands, AgentSettings } from "../remote/commands.ts";
import type { ConfigPort } from "../remote/config-port.ts";
import type { RemotePart } from "../remote/remote-part.ts";
import { healthLook, healthReport } from "../report.ts";
import type { Settings } from "../settings.ts";
import { agentVersion } from "../version.ts";
import { PageCommands } from "./page-commands.ts";
import type { PageMemory } from "./page-memory.ts";
import { reportSections, section } from "./page-state.ts";

export interface PagePartOptions {
  readonly agent: Agent;
  readonly memory: PageMemory;
  readonly offered: AgentCommands;
  readonly settings: { readonly settings: Pick<Settings, "logRing"> } & Pick<AgentSettings, "revision"> &
    Partial<Pick<ConfigPort, "outcomeOf">>;
  /** Undefined without remote control. */
  readonly control: () => RemotePart["control"];
}

export interface PagePart extends Part {
  readonly port: PagePort;
}

/** What the page shows of a running agent, and does to it. Until a page is open, it only notes what comes by. */
export function pagePart(config: FramepostConfig, options: PagePartOptions, seams: Seams): PagePart {
  const { agent, memory, offered, settings, control } = options;
  const { logRing } = settings.settings;
  const outcomeOf = (request: string) => settings.outcomeOf?.(request);
  const { clock } = seams;
  const startedAtMs = Math.round(clock.nowMs() - process.uptime() * 1_000);
  const version = agentVersion();
  const audit = (effect: Parameters<NonNullable<RemotePart["control"]>["audit"]>[0]) => control()?.audit(effect);
  const commands = new PageCommands({ commands: offered.commands, memory, outcomeOf, audit }, seams);
  memory.keepOnly(new Map(config.cameras.map(({ id, privacy }) => [id, maskVersionOf(privacy)])));

  const port: PagePort = {
    async sections() {
      const report = await healthReport(agent, clock);
      const device = { name: agent.device, version, startedAtMs, revision: settings.revision() };
      return [
        ...reportSections(report, device, config, agent.spool),
        section("detector", { threshold: agent.vision.model()?.threshold, labels: agent.vision.model()?.labels }),
        ...memory.sightings.list().map(sightingSection),
        section("charts", memory.series.view()),
      ];
    },
    frames: () => memory.frames.announce().map(frameSection),
    log: (after) => tailOf(logRing, after),
    quiet: () => memory.frames.quiet(),
    picture: (id) => memory.frames.picture(id),
    thumbnail: (id) =>
      memory.sightings.thumbnail(id, async (jpeg) => {
        const { thumbnailSideMax: sideMax, thumbnailQuality: quality } = pageLimits;
        return (await agent.vision.thumbnail(jpeg, { sideMax, quality }, stopping.signal)).jpeg;
      }),
    run: (name, request) => commands.run(name, request),
  };

  let stopping = new AbortController();
  let unwatch = (): void => undefined;
  let counting: Promise<void> | undefined;
  return {
    name: "page",
    port,
    async start() {
      stopping = new AbortController();
      unwatch = agent.pipeline.onProcessed((_camera, processed) => note(processed, memory));
      counting = countMinutes(agent, memory, { ...seams, signal: stopping.signal });
    },
    async stop() {
      unwatch();
      stopping.abort();
      commands.stop();
      await counting;
    },
  };
}

/** A still frame shows what the one before it showed. */
function note(processed: Processed, { frames, sightings }: PageMemory): void {
  if (processed.kind === "still" || processed.kind === "dropped") return;
  const { seen } = processed;
  const { image, cameraId: camera, capturedAtMs: atMs, labelled, detections, model } = seen;
  const picture: SeenPicture = {
    ...{ camera, atMs, jpeg: image.jpeg, width: image.width, height: image.height, labelled, detections },
    ...(model === undefined ? {} : { model }),
    ...("reason" in processed && processed.kind === "stored" ? { rule: processed.reason.rule } : {}),
  };
  const known = frames.add(picture);
  if (detections.some((detection) => isShown(detection, picture))) sightings.add(known);
}

function isShown({ label, score }: Detection, { model }: Pick<SeenPicture, "model">): boolean {
  return score >= thresholdFor(label, model);
}

function frameSection(frame: KnownPicture): Section {
  return { key: `frame ${frame.camera}`, event: "frame", value: pictureFacts(frame) };
}

function sightingSection({ hasPicture, ...seen }: Sighting): Section {
  const { detections } = seen;
  const shown = { ...seen, detections: detections.filter((detection) => isShown(detection, seen)) };
  return { key: `sighting ${seen.id}`, event: "sighting", value: { ...pictureFacts(shown), hasPicture } };
}

/** Also what lies below the threshold: the slider shows what another one would show. */
function pictureFacts({
  id,
  camera,
  atMs,
  width,
  height,
  labelled,
  detections,
  model,
  rule,
}: Omit<KnownPicture, "jpeg">): object {
  return {
    ...{ id, camera, atMs, width, height, labelled },
    ...(model === undefined ? {} : { threshold: model.threshold }),
    ...(model?.thresholds === undefined ? {} : { thresholds: model.thresholds }),
    ...(rule === undefined ? {} : { rule }),
    detections: detections.slice(0, pageLimits.boxesMax).map(({ label, score, box }) => ({
      ...{ label, score: rounded(score, 1_000) },
      box: [box.left, box.top, box.width, box.height].map((pixels) => rounded(pixels, 10)),
    })),
  };
}

/** The newest lines, oldest first. */
function tailOf(ring: LogRing, after: number): LogTail {
  const lines: string[] = [];
  let chars = 0;
  for (const line of ring.after(after, pageLimits.logLinesMax).toReversed()) {
    const text = line.slice(0, pageLimits.logLineCharsMax);
    chars += text.length;
    if (chars > pageLimits.logCharsMax) break;
    lines.push(text);
  }
  return { lines: lines.reverse(), last: ring.added };
}

async function countMinutes(
  agent: Agent,
  { series }: PageMemory,
  { clock, signal }: Seams & { readonly signal: AbortSignal },
): Promise<void> {
  for (;;) {
    const isOver = await clock.sleep(pageLimits.minuteMs, signal).then(
      () => false,
      () => true,
    );
    if (isOver) return;
    const { pipeline, targets } = healthLook(agent, clock);
    const stats = await agent.spool.stats().catch(() => undefined);
    const waiting = stats?.targets.reduce((sum, { pending, leased }) => sum + pending + leased, 0);
    const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0);
    series.add(
      {
        frames: pipeline.frames,
        detections: sum(Object.values(pipeline.detections)),
        uploads: sum(targets.map(({ accepted }) => accepted)),
        queue: waiting ?? 0,
      },
      clock.nowMs(),
    );
  }
}

function rounded(value: number, steps: number): number {
  return Math.round(value * steps) / steps;
}
