import type { Topics } from "../topics.ts";
import type { Entity, EntityGroup } from "./entity.ts";

/**
 * Home Assistant's device-based discovery: one kept message that names the device and all of its entities. What it may
 * hold: https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery
 */

export interface Announced {
  readonly root: string;
  readonly device: string;
  readonly version: string;
  readonly topics: Topics;
}

/** Unique at a broker, also where two roots have a device of the same name. */
export function objectId({ root, device }: Pick<Announced, "root" | "device">): string {
  return `${root}_${device}`;
}

export function configTopic(prefix: string, announced: Announced): string {
  return `${prefix}/device/${objectId(announced)}/config`;
}

/**
 * `gone`: platforms of entities that were announced before, by their key. Home Assistant removes one that comes with its
 * platform alone.
 */
export function discoveryPayload(
  announced: Announced,
  groups: readonly EntityGroup[],
  gone: Readonly<Record<string, string>> = {},
): object {
  const { device, version, topics } = announced;
  const components = groups.flatMap((group) => group.entities.map((entity) => component(announced, group, entity)));
  return {
    device: {
      identifiers: [objectId(announced)],
      ...{ name: device, manufacturer: "Framepost", model: "Camera gateway", sw_version: version },
    },
    origin: { name: "Framepost", sw_version: version },
    availability: [{ topic: topics.availability }],
    components: {
      ...Object.fromEntries(components),
      ...Object.fromEntries(Object.entries(gone).map(([key, platform]) => [key, { platform }])),
    },
  };
}

function component(announced: Announced, group: EntityGroup, entity: Entity): readonly [string, object] {
  const { topics } = announced;
  const { key, name, platform, options, field, control, pictureOf } = entity;
  const stated =
    field === undefined ? {} : { state_topic: topics.state(group.name), value_template: `{{ value_json.${field} }}` };
  return [
    key,
    {
      ...{ platform, name, unique_id: `${objectId(announced)}_${key}`, ...options, ...stated },
      ...(control === undefined ? {} : { command_topic: topics.set(key) }),
      ...(pictureOf === undefined ? {} : { image_topic: topics.picture(pictureOf) }),
    },
  ];
}

/** What is announced, by its key. */
export function platformsOf(groups: readonly EntityGroup[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    groups.flatMap(({ entities }) => entities.map(({ key, platform }) => [key, platform] as const)),
  );
}
