import { AgentError, asAgentError } from "../../src/core/errors.ts";
import { remoteLimits } from "../../src/core/remote-limits.ts";
import { pointerOfProblem } from "../../src/config/layers.ts";
import { byId, patched, shownPatch, type Fields } from "../../src/config/overlay.ts";
import { changedPaths, checkAccess, checkPatch, pointerOf } from "../../src/config/overlay-access.ts";
import { writeOverlay, type Overlay } from "../../src/config/overlay-file.ts";
import { ConfigError } from "../../src/config/problem.ts";
import { shownConfig } from "../../src/config/redact.ts";
import { valueAt } from "../../src/config/schema-walk.ts";
import type { ConfigCommandsPort } from "../../src/remote/commands/config.ts";
import type { RestartPort } from "../../src/remote/commands/restart.ts";
import type { DeviceEvent } from "../../src/remote/event.ts";
import type { SettingsCall } from "../../src/remote/settings.ts";
import type { StatusReport } from "../../src/remote/status-report.ts";
import { unlessAborted } from "../../src/link/deadline.ts";
import { configSchema } from "../config-schema.ts";
import type { CommandContext } from "../context.ts";
import { kept, reverted, settleOverlay } from "../overlay.ts";
import type { Rounds } from "../rounds.ts";
import { loadSettings, type LoadOptions, type Settings } from "../settings.ts";
import {
  appliedAs,
  done,
  edited,
  endingOf,
  fieldsOf,
  inPlace,
  outcome,
  refusal,
  shownChange,
  stepsOf,
  type Ending,
  type Make,
  type Taken,
  withOverlayOf,
  withPatience,
} from "./config-change.ts";
import { rulesFor } from "./config-rules.ts";

/** What became of a change, to be told as an event. */
export type ConfigNews = Extract<DeviceEvent, { kind: "config-changed" | "config-reverted" }>;

/**
 * The config of a running daemon through all its rounds: what is in force, changes on trial, and the way back. A change
 * is on disk, marked as a trial, before anything is stopped for it; so whatever ends the process, the next start knows.
 */
export class ConfigPort implements ConfigCommandsPort, RestartPort {
  readonly #context: CommandContext;
  readonly #rounds: Rounds;
  readonly #news: ConfigNews[] = [];
  #listener: ((news: ConfigNews) => void) | undefined;
  #settings: Settings;
  /** With which the parts were started last; the way back where a new config cannot be started. */
  #started: Settings | undefined;
  #ended: Ending = endingOf(0);
  /** Settles once a change that is under way is on disk, or refused. */
  #changing: Promise<unknown> | undefined;

  constructor(settings: Settings, context: CommandContext, rounds: Rounds) {
    this.#settings = settings;
    this.#context = context;
    this.#rounds = rounds;
    const { overlay } = settings.overlay;
    if (overlay.lastChange?.state === "reverted" && !settings.overlay.isWritten) this.#tellReverted(overlay);
  }

  /** In force, or to be started with. */
  get settings(): Settings {
    return this.#settings;
  }

  revision(): number {
    return this.#overlay.revision;
  }

  /** For the status. */
  state(): NonNullable<StatusReport["config"]> {
    const { changes, lastChange } = this.#overlay;
    const { isLeftOut } = this.#settings.overlay;
    const { refused, standIn } = this.#settings;
    const file = standIn === undefined ? "refused" : "last-good";
    return {
      ...(refused === undefined ? {} : { file, problem: refused.message.slice(0, remoteLimits.messageCharsMax) }),
      overlay: isLeftOut ? "set-aside" : Object.keys(changes).length === 0 ? "none" : "in-force",
      ...(lastChange === undefined ? {} : { lastChange: shownChange(lastChange) }),
    };
  }

  /** In force, without secrets. */
  shown(): unknown {
    const { config, redacted, secrets } = this.#settings;
    return shownConfig(configSchema, config, { redacted, secrets });
  }

  async get(pointer: string): Promise<object> {
    const { overlay } = this.#settings;
    const value = valueAt(byId(this.shown()), stepsOf(pointer));
    if (value === undefined)
      throw refusal("CONFIG_PATH_UNKNOWN", `${pointer}: is not set, or there is no such setting`);
    const changed = changedPaths({}, overlay.overlay.changes).map(pointerOf);
    const { lastChange } = overlay.overlay;
    const last = lastChange === undefined ? {} : { lastChange: shownChange(lastChange) };
    return { revision: this.revision(), value, changed, ...last };
  }

  async change(patch: object, call: SettingsCall): Promise<object> {
    const fields: Fields = { ...patch };
    checkPatch(fields);
    const taken = await this.#alone(() => this.#change((before) => patched(before, fields), fields, call));
    return taken.outcome;
  }

  async rollback(call: SettingsCall): Promise<object> {
    const taken = await this.#alone(() => {
      const { previous } = this.#overlay;
      if (previous === undefined) throw refusal("CONFIG_PREVIOUS_NOT_FOUND", "there is no version before this one");
      return this.#change((_before, file) => patched(file, previous), {}, call);
    });
    return taken.outcome;
  }

  shownPatch(patch: object): unknown {
    return shownPatch(configSchema, { ...patch });
  }

  async check(): Promise<void> {
    await this.#load();
  }

  restart(): void {
    this.#rounds.ask("restart");
  }

  /** What comes of a change that a request asked for, also one before the last start. Undefined where none is known. */
  outcomeOf(request: string): Promise<object> | undefined {
    const { lastChange } = this.#overlay;
    if (lastChange?.request !== request) return undefined;
    return lastChange.state === "trial" ? this.#ended.promise : outcome(this.#overlay);
  }

  /** Who tells the world; what came up meanwhile is told at once. */
  listen(listener: (news: ConfigNews) => void): void {
    this.#listener = listener;
    for (const news of this.#news.splice(0)) listener(news);
  }

  /** Once the data folder is the daemon's own: the disk says what is in force. */
  async settle(): Promise<void> {
    const { overlay, config } = this.#settings;
    if (!overlay.isLeftOut && overlay.overlay.revision <= 1 && config.remote === undefined) return;
    await settleOverlay(overlay);
    const { isLeftOut } = overlay;
    this.#settings = { ...this.#settings, overlay: { ...overlay, isWritten: true, isLeftOut } };
  }

  /** The parts run with the config in force. */
  started(): void {
    this.#started = this.#settings;
  }

  /** A change that waits for its proof: how long it may take, with the config before it. */
  trial(): { readonly withinMs: number } | undefined {
    return this.#overlay.lastChange?.state === "trial" ? { withinMs: this.#ended.withinMs } : undefined;
  }

  /** The trial is over: the change stays. Fails with `STATE_UNWRITABLE`; then it has to be reverted. */
  async keep(): Promise<void> {
    const stays = kept(this.#overlay);
    await writeOverlay(this.#settings.overlay.path, stays);
    this.#settings = withOverlayOf(this.#settings, stays);
    this.#tellChanged(stays);
    this.#ended.end(outcome(stays));
  }

  /** The trial is over: the version before is what is started with next, and answers who waits. */
  async revert(reason: string): Promise<void> {
    const { path } = this.#settings.overlay;
    const back = reverted(this.#overlay, reason);
    const { log } = this.#settings;
    // The news is told by the next round: this one may have no connection.
    this.#listener = undefined;
    log.error("config.reverted", { revision: back.revision, reason });
    this.#settings = withOverlayOf(this.#settings, back);
    // Without it the next start finds a trial, and reverts it.
    await writeOverlay(path, back).catch((error: unknown) => {
      log.error("config.overlay_unwritable", { error: asAgentError(error, "reverting").message });
    });
    this.#tellReverted(back);
  }

  /** Reads both layers anew. What is wrong with the operator's file leaves the config as it was in force. */
  async reload(): Promise<void> {
    const { signal } = this.#context;
    // A change that a stop has overtaken may be on its way to the disk: what is started next must find all of it.
    await unlessAborted(this.#changing ?? Promise.resolve(), signal, "change the config").catch(() => undefined);
    try {
      // A trial on disk that is none any more could not be written over.
      const start = this.trial() === undefined;
      const { logRing } = this.#settings;
      this.#settings = await this.#load({ start, logRing });
    } catch (error) {
      const refused = asAgentError(error, "reading the config");
      const { code, message } = refused;
      this.#settings.log.error("config.not_read", { code, error: message });
      if (this.trial() !== undefined) await this.revert(message);
      if (this.#started !== undefined) this.#settings = { ...withOverlayOf(this.#started, this.#overlay), refused };
    }
  }

  /** Parts could not be started. False when there is nothing to go back to. */
  async goBack(error: unknown): Promise<boolean> {
    const { code, message } = asAgentError(error, "starting the parts");
    this.#settings.log.error("start-failed", { code, error: message });
    if (this.trial() !== undefined) {
      await this.revert(`not started: ${message}`);
      await this.reload();
      return true;
    }
    const before = this.#started;
    if (before === undefined || before === this.#settings) return false;
    this.#settings = withOverlayOf(before, this.#overlay);
    this.#started = undefined;
    return true;
  }

  /**
   * A file that was refused at the start may still be; one that was in force is not replaced by what was before it, and no
   * camera or target that was at work is given up for a secret that is gone.
   */
  async #load(options: LoadOptions = {}): Promise<Settings> {
    const { standIn, lacking } = this.#settings;
    const lenient = { lastGood: standIn !== undefined, partsMayLack: lacking.length > 0 };
    return await loadSettings(this.#context, "config", { ...options, ...lenient });
  }

  get #overlay(): Overlay {
    return this.#settings.overlay.overlay;
  }

  async #alone<T>(work: () => Promise<T>): Promise<T> {
    if (this.#changing !== undefined || this.trial() !== undefined) {
      throw new AgentError("CONFIG_BUSY", "another change of the config is under way", { disposition: "retry" });
    }
    const changing = work();
    this.#changing = changing.catch(() => undefined);
    try {
      return await changing;
    } finally {
      this.#changing = undefined;
    }
  }

  /** Resolves once it is on disk; its outcome may take as long as its trial does. */
  async #change(make: Make, patch: Fields, { dry, signal, request, may }: SettingsCall): Promise<Taken> {
    // As it is now on disk: that is what the parts are started with. What somebody has edited there is not in force yet.
    const there = await this.#load();
    const { operator, current, before, after, changes } = edited(there, make);
    const here = edited(this.#settings, make);
    const layered = await this.#validated(operator, changes);
    const { remote } = layered.config;
    if (remote === undefined && this.#settings.config.remote !== undefined) {
      throw refusal("CONFIG_PATCH_REMOTE", "/remote: commands come through it", "/remote");
    }
    checkAccess(rulesFor(before, operator.written), { before, after, patch, isAdmin: may?.("admin") === true });
    const toldPaths = changedPaths(before, after).map(pointerOf);
    const allPaths = [...new Set([...changedPaths(here.before, here.after).map(pointerOf), ...toldPaths])];
    const isInPlace = allPaths.every((path) => inPlace.includes(path));
    const paths = (isInPlace ? allPaths : toldPaths).slice(0, remoteLimits.changedPathsMax);
    if (paths.length === 0) return done({ revision: this.revision(), changed: [], applied: "nothing" });
    if (dry) return done({ revision: this.revision(), changed: paths, applied: appliedAs(isInPlace) });
    signal.throwIfAborted();

    const { revision, fileDigest } = isInPlace ? here.current : current;
    const change = { ...(request === undefined ? {} : { request }), revision: revision + 1, paths };
    const next: Overlay = {
      ...{ revision: change.revision, fileDigest, changes },
      previous: current.changes,
      ...(isInPlace || current.previous === undefined ? {} : { earlier: current.previous }),
      lastChange: { ...change, state: isInPlace ? "kept" : "trial" },
    };
    if (isInPlace) {
      const { config } = await this.#validated(here.operator, here.changes);
      await writeOverlay(there.overlay.path, next);
      this.#applyInPlace(config, { ...next, changes: here.changes, previous: here.current.changes });
      return done(await outcome(next));
    }
    await writeOverlay(there.overlay.path, next);
    // Without remote control there is no broker to be reached: it stays once everything is started with it.
    const withinMs = (this.#settings.config.remote ?? remote)?.revertAfter ?? remoteLimits.commandTimeoutMs;
    this.#ended = endingOf(withinMs);
    this.#settings = withOverlayOf(this.#settings, next);
    this.#settings.log.info("config.trial", { revision: next.revision, paths });
    this.#rounds.ask("config");
    // The request is answered by the next round.
    return { outcome: this.#ended.promise };
  }

  async #validated(operator: Settings["operator"], changes: Fields): ReturnType<Settings["operator"]["with"]> {
    try {
      return await operator.with({ changes, file: "config" });
    } catch (error) {
      const problem = error instanceof ConfigError ? error.problems[0] : undefined;
      if (problem === undefined) throw error;
      const pointer = pointerOfProblem(problem, fieldsOf(patched(operator.written, changes)), operator.order);
      const message = problem.message.replace(/^with the overlay: /, "");
      throw refusal("CONFIG_INVALID", `${pointer}: ${message}`.slice(0, remoteLimits.messageCharsMax), pointer);
    }
  }

  #applyInPlace({ log, remote }: Settings["config"], overlay: Overlay): void {
    const { config, logControl } = this.#settings;
    const after = {
      ...config,
      log,
      ...(config.remote && remote ? { remote: withPatience(config.remote, remote) } : {}),
    };
    this.#settings = withOverlayOf({ ...this.#settings, config: after }, overlay);
    this.#started = this.#settings;
    if (this.#context.logLevel === undefined) logControl.setLevel(log.level);
    this.#tellChanged(overlay);
  }

  #tellChanged({ revision, lastChange }: Overlay): void {
    this.#tell({ kind: "config-changed", data: { revision, paths: [...(lastChange?.paths ?? [])] } });
  }

  #tellReverted({ revision, lastChange }: Overlay): void {
    const { paths = [], reason } = lastChange ?? {};
    this.#tell({
      kind: "config-reverted",
      data: { revision, paths: [...paths], ...(reason === undefined ? {} : { reason }) },
    });
  }

  #tell(news: ConfigNews): void {
    if (this.#listener === undefined) this.#news.push(news);
    else this.#listener(news);
  }
}
