import { discoveryLimits } from "../../core/remote-limits.ts";
import type { EntityGroup } from "./entity.ts";

/** What a plain payload of Home Assistant's means as a request. */
export interface PlainRequest {
  readonly command: string;
  readonly body: object;
}

/** One for everything, nonsense included, so that it is judged and answered as any other request. */
export function requestOf(
  groups: readonly EntityGroup[],
  entityKey: string,
  payload: Buffer,
  id: string,
): PlainRequest {
  const text = payload.toString().slice(0, discoveryLimits.payloadCharsMax);
  const control = groups.flatMap(({ entities }) => entities).find(({ key }) => key === entityKey)?.control;
  if (control === undefined) return { command: noCommand, body: { id } };
  const { command, args } = control.request(text);
  return { command, body: { id, args } };
}

/** What an entity that there is not asks for. */
const noCommand = "unknown";
