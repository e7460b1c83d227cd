import type { ConfigProblem } from "../src/config/problem.ts";
import { isProtectiveText } from "../src/config/unknown-settings.ts";
import type { ConfigPath } from "../src/config/yaml.ts";
import { AgentError } from "../src/core/errors.ts";
import type { Target } from "../src/core/ports.ts";

/**
 * Whether the daemon starts without what a placeholder stands for: that of one target is no reason to capture nothing and
 * to send nowhere else. Which records it gets has to be known, or those that it is owed would be others.
 */
export function mayLack([section, , setting]: ConfigPath): boolean {
  return section === "targets" && setting !== "id" && !isProtectiveText(String(setting));
}

/** By target: why it cannot be used. */
export function lacksOf(
  targets: readonly { readonly id: string }[],
  lacking: readonly ConfigProblem[],
): ReadonlyMap<string, AgentError> {
  return new Map(
    targets.flatMap(({ id }, index) => {
      const first = lacking.find(({ path }) => path.startsWith(`targets.${index}.`));
      return first === undefined ? [] : [[id, lackOf(id, first)] as const];
    }),
  );
}

function lackOf(id: string, { path, message }: ConfigProblem): AgentError {
  const setting = path.split(".").slice(2).join(".");
  const said = `${id} is not served: its ${setting} has no value: ${message}`;
  return new AgentError("TARGET_CREDENTIAL_MISSING", said, { disposition: "retry" });
}

/** A target that is never connected to. What it wants is owed to it until it can be used. */
export function lackingTarget(target: Target, lack: AgentError): Target {
  const { id, kind } = target;
  return {
    id,
    kind,
    capacity: () => target.capacity(),
    wants: (draft) => target.wants(draft),
    start: async () => undefined,
    probe: () => Promise.reject(lack),
    deliver: () => Promise.reject(lack),
    close: async () => undefined,
  };
}
