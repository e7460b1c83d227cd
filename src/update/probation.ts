import { Summary } from "../core/counters.ts";
import type { AgentError } from "../core/errors.ts";
import { modelLimits } from "../core/model-limits.ts";
import type { Random } from "../core/ports.ts";
import type { Look } from "../vision/switch.ts";

export type ProbationLimits = {
  readonly [
    Name in
      | "probationLookMs"
      | "probationLooksMin"
      | "probationFailuresMin"
      | "probationFailureShare"
      | "probationCrashesMax"
      | "rollbackAgainMs"
  ]: number;
};

/** Whether the model in use may stay, by what it does: its errors, its time, and the crashes of its process. */
export class Probation {
  readonly #runMsMax: number;
  readonly #limits: ProbationLimits;
  readonly #runMs: Summary;
  #failures = 0;
  #lastFailure: AgentError | undefined;

  constructor(runMsMax: number | undefined, random: Random, limits: ProbationLimits = modelLimits) {
    this.#runMsMax = runMsMax === undefined ? Infinity : runMsMax * modelLimits.runMsInUse;
    this.#limits = limits;
    this.#runMs = new Summary(random);
  }

  saw(look: Look): void {
    if (look.kind === "seen") this.#runMs.add(look.runMs);
    else if (isOfModel(look.error)) {
      this.#failures += 1;
      this.#lastFailure = look.error;
    }
  }

  /** Why it has to go back; undefined as long as nothing speaks against it. `crashes` are its process's. */
  verdict(crashes: number): string | undefined {
    const { probationCrashesMax, probationFailuresMin, probationFailureShare, probationLooksMin } = this.#limits;
    if (crashes >= probationCrashesMax) return `its process ended ${crashes} times`;
    const { count, p50 } = this.#runMs.snapshot();
    const looks = count + this.#failures;
    if (this.#failures >= probationFailuresMin && this.#failures > probationFailureShare * looks) {
      return `${this.#failures} of ${looks} pictures failed (${this.#lastFailure?.code ?? "unknown"})`;
    }
    if (count >= probationLooksMin && p50 > this.#runMsMax) {
      return `a run takes ${p50.toFixed(1)} ms, and may take ${this.#runMsMax.toFixed(1)} ms`;
    }
    return undefined;
  }
}

/** A bad picture is not its fault; and while its process starts anew, that crash has been counted already. */
function isOfModel({ code }: AgentError): boolean {
  return !code.startsWith("IMAGE_") && code !== "VISION_UNAVAILABLE";
}
