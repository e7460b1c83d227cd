import type { ConfigProblem } from "../src/config/problem.ts";
import { isProtectiveText } from "../src/config/unknown-settings.ts";
import type { ConfigPath } from "../src/config/yaml.ts";
import { AgentError } from "../src/core/errors.ts";
import type { CameraDriver } from "../src/core/ports.ts";
import type { FramepostConfig } from "./config-schema.ts";

/**
 * Whether the daemon starts without what a placeholder stands for: that of one camera or target is no reason for all others
 * to stand still. What it keeps, hides and sends has to be known, or it would be something else.
 */
export function mayLack([section, , setting]: ConfigPath): boolean {
  return (section === "cameras" || section === "targets") && setting !== "id" && !isProtectiveText(String(setting));
}

/** By id: why it cannot be used. */
type Lacks = ReadonlyMap<string, AgentError>;

export interface PartLacks {
  readonly cameras: Lacks;
  readonly targets: Lacks;
  /** For a person. */
  readonly said: readonly string[];
}

export function lacksOf(
  config: Pick<FramepostConfig, "cameras" | "targets">,
  lacking: readonly ConfigProblem[] = [],
): PartLacks {
  const of = (section: "cameras" | "targets"): Lacks =>
    new Map(
      config[section].flatMap(({ id }, index) => {
        const first = lacking.find(({ path }) => path.startsWith(`${section}.${index}.`));
        return first === undefined ? [] : [[id, lackOf(section, id, first)] as const];
      }),
    );
  const [cameras, targets] = [of("cameras"), of("targets")];
  return { cameras, targets, said: [...cameras.values(), ...targets.values()].map(({ message }) => message) };
}

function lackOf(section: "cameras" | "targets", id: string, { path, message }: ConfigProblem): AgentError {
  const setting = path.split(".").slice(2).join(".");
  const [code, effect] =
    section === "cameras"
      ? ["CAMERA_CREDENTIAL_MISSING", "gives no pictures"]
      : ["TARGET_CREDENTIAL_MISSING", "is not served"];
  return new AgentError(code, `${id} ${effect}: its ${setting} has no value: ${message}`, { disposition: "retry" });
}

/** A camera that is never opened. */
export function lackingDriver({ kind, pace }: CameraDriver, lack: AgentError): CameraDriver {
  return {
    kind,
    pace,
    start: () => Promise.reject(lack),
    shot: () => Promise.reject(lack),
    stop: async () => undefined,
  };
}
