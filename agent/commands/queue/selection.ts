import { AgentError } from "../../../src/core/errors.ts";
import type { SpoolListing } from "../../../src/core/ports.ts";
import type { DeliverySelection, Queue, QueueStats } from "../../../src/core/queue.ts";
import type { Settings } from "../../settings.ts";

/** How the command line says which deliveries are meant. */
export interface SelectionOptions {
  readonly target?: string;
  readonly state?: NonNullable<DeliverySelection["state"]>;
  readonly all?: true;
}

/** Fails with `QUEUE_NOT_FOUND`. */
export async function foundRecord(queue: Queue, reference: string): Promise<SpoolListing> {
  const listing = await queue.find(reference);
  if (listing !== undefined) return listing;
  throw new AgentError("QUEUE_NOT_FOUND", `no record ${reference.slice(0, 100)} in the spool`, {
    disposition: "reject",
  });
}

/** A bare command must not mean everything. Fails with `USAGE_SELECTION`, saying what to add. */
export function mustName(command: string, references: readonly string[], { target, all }: SelectionOptions): void {
  if (references.length > 0 || target !== undefined || all === true) return;
  throw new AgentError(
    "USAGE_SELECTION",
    `queue ${command}: name records, or a target with --target ID, or every target with --all`,
    { disposition: "fatal" },
  );
}

/** Fails with `USAGE_TARGET` for a target that neither the config nor the spool knows. */
export function mustKnow(
  target: string | undefined,
  { config }: Pick<Settings, "config">,
  { targets }: Pick<QueueStats, "targets">,
): void {
  const known = new Set([...config.targets.map(({ id }) => id), ...targets.map(({ targetId }) => targetId)]);
  if (target === undefined || known.has(target)) return;
  const names = [...known].join(", ") || "none";
  throw new AgentError("USAGE_TARGET", `no target ${target}; there is ${names}`, { disposition: "fatal" });
}

/** What the options say, of one record where one is given. `stateElse` holds where nothing says which state is meant. */
export function selectionOf(
  { target, state }: SelectionOptions,
  sequence: number | undefined,
  stateElse?: SelectionOptions["state"],
): DeliverySelection {
  const wanted = state ?? (sequence === undefined ? stateElse : undefined);
  return {
    ...(target === undefined ? {} : { targetId: target }),
    ...(wanted === undefined ? {} : { state: wanted }),
    ...(sequence === undefined ? {} : { sequence }),
  };
}
