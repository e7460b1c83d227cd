import { join } from "node:path";
import { AgentError, asAgentError } from "../src/core/errors.ts";
import { pulseLimits } from "../src/core/limits.ts";
import type { Camera, CameraDriver, Seams, Target } from "../src/core/ports.ts";
import { Pulses } from "../src/core/pulse.ts";
import type { ConfigProblem } from "../src/config/problem.ts";
import type { ClockStamp } from "../src/core/types.ts";
import { CameraPauses } from "../src/capture/pauses.ts";
import { endOrphans } from "../src/capture/stream/orphans.ts";
import { ControlServer } from "../src/control/server.ts";
import { DeliveryLoop } from "../src/deliver/loop.ts";
import { UploadControl, type UploadTarget } from "../src/deliver/upload-control.ts";
import { Pipeline } from "../src/pipeline/pipeline.ts";
import type { DiskSpool, SpoolTarget } from "../src/spool/spool.ts";
import { BootClock } from "../src/state/boot-clock.ts";
import type { ClockSigns } from "../src/state/clock-signs.ts";
import { TargetMemoryFile } from "../src/state/target-memory.ts";
import { ownGroupMemory } from "../src/vision/memory-group.ts";
import type { ModelSpec } from "../src/vision/model.ts";
import { VisionSwitch } from "../src/vision/switch.ts";
import { cameraLook } from "./camera-look.ts";
import { buildDriver, watchedCamera } from "./build-camera.ts";
import { buildTarget, withReducedCopies } from "./build-target.ts";
import type { FramepostConfig, TargetConfig } from "./config-schema.ts";
import { withDetectorRules } from "./models/detector-rules.ts";
import { diskBudgetOf, shareOf } from "./disks.ts";
import type { Part } from "./lifecycle.ts";
import { lacksOf } from "./lacking.ts";
import { isWithheld, withheldTarget } from "./local-only.ts";
import { findModel } from "./models/find-model.ts";
import { controlPathOf } from "./locations.ts";
import { type ModelKeeping, modelKeepingOf } from "./models/model-choice.ts";
import { buildSpool, openData } from "./open-spool.ts";
import { shadowOf } from "./models/shadow-model.ts";
import { unservedTarget } from "./unserved-target.ts";
import { agentVersion } from "./version.ts";

/** The agent's parts, built and not yet started. */
export interface Agent {
  readonly device: string;
  /** What was wrong before anything started. For a person, without secrets. */
  readonly troubles: readonly string[];
  readonly cameras: readonly Camera[];
  readonly pauses: CameraPauses;
  /** What the machine's wall clock is worth. */
  readonly bootClock: BootClock;
  readonly vision: VisionSwitch;
  readonly models: ModelKeeping;
  /** Why no model could be found. One that was found may still turn out unusable when vision starts. */
  readonly modelProblem?: AgentError;
  readonly spool: DiskSpool;
  readonly targets: readonly Target[];
  readonly loops: readonly DeliveryLoop[];
  /** Pauses, limits, and which targets are enabled. */
  readonly upload: UploadControl;
  readonly pipeline: Pipeline;
  /** No picture leaves this machine. */
  readonly localOnly: boolean;
  /** Whether its loops turn. Of the daemon alone: others have none. */
  readonly pulses: Pulses;
  /** In the order to start them. A command that stores nothing starts without the spool and works beside the daemon. */
  readonly parts: {
    readonly spool: Part;
    /** Of the daemon alone: watches the wall clock. */
    readonly clock: Part;
    /** Of the daemon alone, as are the updates: which model may stay. */
    readonly models: Part;
    /** Of the daemon alone: commands that ask for the queue. */
    readonly control: Part;
    readonly vision: Part;
    /** Of the daemon alone: before its cameras start, those stay off that an operator has paused. */
    readonly pauses: Part;
    readonly sending: readonly Part[];
    /** Of the daemon alone, before what sends: a command of a person who sends something now is held up by no pause. */
    readonly upload: Part;
    readonly capturing: readonly Part[];
    readonly updates: Part;
  };
}

export interface ComposeOptions {
  readonly dataFolder: string;
  /** For commands that watch what cameras see and targets answer. */
  readonly wrapDriver?: (driver: CameraDriver) => CameraDriver;
  readonly wrapTarget?: (target: Target) => Target;
  /** For commands of a person who wants a picture now. */
  readonly ignoreSchedules?: boolean;
  /** In place of the machine's. */
  readonly clockSigns?: ClockSigns;
  /** What is wrong already: of the config. */
  readonly troubles?: readonly string[];
  /** Placeholders of cameras and targets without a value. */
  readonly lacking?: readonly ConfigProblem[];
  /** Capture ends after so many records. */
  readonly recordsMax?: number;
}

/**
 * The only place that names concrete classes, but for those of cameras and targets (`build-camera.ts`,
 * `build-target.ts`), the spool (`open-spool.ts`) and the second model (`shadow-model.ts`). Fails when the state folder
 * cannot be used.
 */
export async function composeAgent(config: FramepostConfig, options: ComposeOptions, seams: Seams): Promise<Agent> {
  const { dataFolder } = options;
  const wrapDriver = options.wrapDriver ?? ((driver: CameraDriver) => driver);
  const wrapTarget = options.wrapTarget ?? ((target: Target) => target);
  const device = await openData(config, dataFolder, seams);
  const budget = await diskBudgetOf(config, dataFolder);
  const found = await modelOf(config, dataFolder);
  const [model, modelProblem] = found instanceof AgentError ? [undefined, found] : [found, undefined];
  if (modelProblem !== undefined) {
    seams.log.error("model-unusable", { code: modelProblem.code, message: modelProblem.message });
  }
  const { threads, tiles, maxMemory } = config.detector;
  const settings = { ...(threads === undefined ? {} : { threads }), ...(tiles === undefined ? {} : { tiles }) };
  const vision = new VisionSwitch({ model, rssBytesMax: maxMemory, groupMemory: ownGroupMemory(), ...settings }, seams);

  const upload = new UploadControl(
    {
      stateFolder: join(dataFolder, "state"),
      targets: config.targets.map((target) => uploadTarget(target, config)),
      plan: config.upload,
    },
    seams,
  );
  const targets: Target[] = [];
  const lacks = lacksOf(config, options.lacking);
  for (const target of config.targets) {
    const share = target.kind === "folder" ? await shareOf(budget, target, dataFolder) : undefined;
    const memory = new TargetMemoryFile(join(dataFolder, "state"), target.id);
    const built = await buildTarget(target, { device, share, memory, meter: upload.meter }, seams);
    const lack = lacks.targets.get(target.id);
    const usable = lack === undefined ? withReducedCopies(built, target, vision, seams) : unservedTarget(built, lack);
    const served = wrapTarget(usable);
    targets.push(isWithheld(target, config) ? withheldTarget(served) : served);
  }
  const waiting = spoolTargets(config, targets);
  const bootClock = await BootClock.open(join(dataFolder, "state"), seams, options.clockSigns);
  const spool = await buildSpool(config, { dataFolder, device, bootClock, targets: waiting, budget }, seams);
  const loops = targets.map((target) => loopOf(target, { spool, upload, lack: lacks.targets.get(target.id) }, seams));
  const watched: ReturnType<typeof watchedCamera>[] = [];
  for (const camera of config.cameras) {
    const driver = wrapDriver(await buildDriver(camera, vision, seams, lacks.cameras.get(camera.id)));
    watched.push(watchedCamera(camera, driver, { ...options, whenAway: config.detector.whenAway }, seams));
  }
  const cameras = watched.map(({ camera }) => camera);
  const pauses = new CameraPauses(join(dataFolder, "state"), cameras, seams);
  const { exact } = config.detector;
  const clockQuality = (stamp?: ClockStamp) => bootClock.quality(stamp);
  const facts = { bootId: bootClock.bootId, agentVersion: agentVersion(), clockQuality, exact };
  const { recordsMax = Infinity } = options;
  const shadow = await shadowOf(config, dataFolder, seams);
  const { parts: compared, part: shadowPart } = shadow ?? {};
  const seen = { vision, ...(compared === undefined ? {} : { shadow: compared }) };
  const pipeline = new Pipeline({ cameras: watched, ...seen, spool, targets, recordsMax }, facts, seams);

  const models = modelKeepingOf(config, { dataFolder, vision, budget, clockQuality }, seams);
  const parts = {
    spool: part("spool", spool),
    clock: part("clock", bootClock),
    models: models.guard,
    control: controlPart(dataFolder, { spool, loops, upload, models, cameras }, seams),
    vision: visionPart(vision, models.startWith, seams),
    pauses: part("pauses", pauses),
    sending: [
      ...targets.map((target) => ({ name: target.id, start: () => target.start(), stop: () => target.close() })),
      deliveryPart(loops),
    ],
    capturing: [
      orphansPart(seams),
      ...(shadowPart === undefined ? [] : [shadowPart]),
      camerasPart(cameras),
      part("pipeline", pipeline),
    ],
    upload: part("upload", upload),
    updates: models.updates,
  };
  const troubles = [...(options.troubles ?? []), ...lacks.said];
  const { localOnly } = config.privacy;
  const steady = { device, troubles, cameras, pauses, bootClock, pulses: pulsesOf(seams), localOnly, parts };
  const built = { ...steady, vision, models, spool, targets, loops, upload, pipeline };
  return modelProblem === undefined ? built : { ...built, modelProblem };
}

function loopOf(
  target: Target,
  { spool, upload, lack }: Pick<Agent, "spool" | "upload"> & { readonly lack: AgentError | undefined },
  seams: Seams,
): DeliveryLoop {
  const loop = new DeliveryLoop(target, spool, seams, upload.gateOf(target.id));
  if (lack !== undefined) loop.isAway(lack);
  return loop;
}

function uploadTarget(target: TargetConfig, config: FramepostConfig): UploadTarget {
  const { id, enabled, schedule, kind } = target;
  return { id, enabled, schedule, isLocal: kind === "folder", localOnly: isWithheld(target, config) };
}

function spoolTargets(config: FramepostConfig, targets: readonly Target[]): readonly SpoolTarget[] {
  return config.targets.map(({ id, newestShare, backfill, backlog }) => ({
    id,
    newestShare,
    backfill,
    backlog: {
      ...(backlog.maxRecords === undefined ? {} : { recordsMax: backlog.maxRecords }),
      ...(backlog.maxBytes === undefined ? {} : { bytesMax: backlog.maxBytes }),
      ...(backlog.maxAge === undefined ? {} : { ageMaxMs: backlog.maxAge }),
    },
    wants: (draft) => targets.find((target) => target.id === id)?.wants(draft) ?? false,
  }));
}

/** By its id; fails with `USAGE_CAMERA`, naming those that there are. */
export function cameraOf(agent: Agent, id: string): Camera {
  const camera = agent.cameras.find((candidate) => candidate.id === id);
  if (camera !== undefined) return camera;
  const known = agent.cameras.map((candidate) => candidate.id).join(", ");
  throw new AgentError("USAGE_CAMERA", `no camera ${id}; the config has ${known}`, { disposition: "fatal" });
}

/** A model that cannot be found is no reason to capture nothing: `detector.whenAway` says what happens to frames. */
async function modelOf(config: FramepostConfig, dataFolder: string): Promise<ModelSpec | AgentError> {
  const { model, manifest } = config.detector;
  try {
    const spec = await findModel(model, { dataFolder, ...(manifest === undefined ? {} : { manifest }) });
    return withDetectorRules(spec, config.detector);
  } catch (error) {
    return asAgentError(error, `finding the model ${model ?? "in use"}`);
  }
}

/** A model that cannot be loaded leaves the agent running without a detector; the client keeps trying after a crash. */
function visionPart(vision: VisionSwitch, startWith: () => ModelSpec | undefined, seams: Seams): Part {
  return {
    name: "vision",
    async start(signal) {
      try {
        await vision.start(signal, startWith());
      } catch (error) {
        signal.throwIfAborted();
        const { code, message } = asAgentError(error, "starting the vision process");
        if (code !== "MODEL_NONE") seams.log.error("model-unusable", { code, message });
      }
    },
    stop: () => vision.stop(),
  };
}

/**
 * Side by side: a program that hears no signal takes seconds to end, and with a row of them a service manager would lose
 * its patience.
 */
function camerasPart(cameras: readonly Camera[]): Part {
  return {
    name: "cameras",
    async start(signal) {
      await Promise.all(cameras.map(async (camera) => camera.start(signal)));
    },
    async stop() {
      await Promise.all(cameras.map(async (camera) => camera.stop()));
    },
  };
}

/** A command has loops too, but ends by itself: nobody watches them. */
function pulsesOf({ pulses, clock }: Seams): Pulses {
  return pulses ?? new Pulses(clock, pulseLimits.periodMs);
}

/** What commands beside the daemon may ask of it. */
function controlPart(
  dataFolder: string,
  { spool, loops, upload, models, cameras }: Pick<Agent, "spool" | "loops" | "upload" | "models" | "cameras">,
  { log }: Seams,
): Part {
  const deliveries = () => loops.map((loop) => loop.health());
  const looks = () => cameras.map((camera) => cameraLook(camera.health()));
  const offer = {
    queue: spool.queue,
    deliveries,
    upload: () => upload.health(),
    models: models.choice,
    cameras: looks,
  };
  return part("control", new ControlServer(controlPathOf(dataFolder), offer, log));
}

/** Side by side, too: each waits for its calls in flight. */
function deliveryPart(loops: readonly DeliveryLoop[]): Part {
  return {
    name: "delivery",
    async start() {
      for (const loop of loops) loop.start();
    },
    async stop() {
      await Promise.all(loops.map(async (loop) => loop.stop()));
    },
  };
}

/** Before any camera is started: a program of an agent that was killed may still hold its device. */
function orphansPart({ log }: Seams): Part {
  return {
    name: "orphans",
    async start() {
      const ended = await endOrphans();
      if (ended > 0) log.warn("camera.orphans_ended", { processes: ended });
    },
    stop: async () => undefined,
  };
}

function part(name: string, inner: { start(signal: AbortSignal): void | Promise<void>; stop(): Promise<void> }): Part {
  return { name, start: async (signal) => inner.start(signal), stop: () => inner.stop() };
}
