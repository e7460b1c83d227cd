/** One thing that Home Assistant shows, and what it may change with it. */

export type Platform = "binary_sensor" | "button" | "image" | "number" | "select" | "sensor" | "switch";

/** A value in a state topic; `null` shows as unknown. */
export type Value = string | number | null;

/** A plain payload of Home Assistant's as one of this device's commands. */
export interface Control {
  /** All of them have to be there, or the entity is left out. */
  readonly commands: readonly string[];
  request(payload: string): ControlRequest;
}

/** What fits no command's arguments is handed over as it came: the command's own schema refuses it. */
export interface ControlRequest {
  readonly command: string;
  readonly args: Readonly<Record<string, unknown>>;
}

/** How entities of one group (the device, a camera, a target) are made. */
export interface EntityPlan<R> {
  /** Without `_`, so that a group's name and this make a name of one entity alone. */
  readonly key: string;
  /** Follows the group's own name. */
  readonly name: string;
  readonly platform: Platform;
  /** False: this device has no such thing. */
  readonly isOffered?: (reading: R) => boolean;
  /** The platform's own keys: device class, unit, bounds. */
  readonly options?: (reading: R) => Readonly<Record<string, unknown>>;
  /** Undefined: this device has no such thing. Absent for what has no state. */
  readonly value?: (reading: R) => Value | undefined;
  /** The value changes all the time by itself: it is said with the next that counts, or every half minute. */
  readonly drifts?: true;
  readonly control?: (reading: R) => Control;
}

export interface Entity {
  /** Of the whole device; also the last part of its command topic. */
  readonly key: string;
  readonly name: string;
  readonly platform: Platform;
  readonly options: Readonly<Record<string, unknown>>;
  /** Of its group's state topic. */
  readonly field?: string;
  readonly control?: Control;
  /** Of an image. */
  readonly pictureOf?: string;
}

/** Entities that share a state topic. */
export interface EntityGroup {
  /** The last part of the state topic. */
  readonly name: string;
  readonly entities: readonly Entity[];
  readonly state: Readonly<Record<string, Value>>;
  /** Fields whose change is not said at once. */
  readonly drifting: ReadonlySet<string>;
}

export interface Offer {
  /** Commands that this device has, and that requests without a signature may use. */
  readonly commands: ReadonlySet<string>;
  readonly pictures: boolean;
}

interface GroupName {
  /** Begins the keys of its entities. */
  readonly name: string;
  /** For a person; empty for the device itself. */
  readonly title: string;
  readonly cameraId?: string;
}

export function groupOf<R>(
  { name, title, cameraId }: GroupName,
  plans: readonly EntityPlan<R>[],
  reading: R,
  { commands, pictures }: Offer,
): EntityGroup {
  const entities: Entity[] = [];
  const state: Record<string, Value> = {};
  const drifting = new Set<string>();
  for (const { key, platform, drifts, ...plan } of plans) {
    if (plan.isOffered?.(reading) === false) continue;
    const value = plan.value?.(reading);
    const control = plan.control?.(reading);
    if (plan.value !== undefined && value === undefined) continue;
    if (control !== undefined && !control.commands.every((command) => commands.has(command))) continue;
    if (platform === "image" && !pictures) continue;
    if (value !== undefined) state[key] = value;
    if (drifts === true) drifting.add(key);
    entities.push({
      key: `${name}_${key}`,
      name: title === "" ? sentence(plan.name) : `${title} ${plan.name}`,
      platform,
      options: plan.options?.(reading) ?? {},
      ...(value === undefined ? {} : { field: key }),
      ...(control === undefined ? {} : { control }),
      ...(platform === "image" && cameraId !== undefined ? { pictureOf: cameraId } : {}),
    });
  }
  return { name, entities, state, drifting };
}

function sentence(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1);
}
