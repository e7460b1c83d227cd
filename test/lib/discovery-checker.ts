import {
  anyStateClass,
  commonKeys,
  deviceKeys,
  inheritedKeys,
  platforms,
  stateClasses,
  units,
} from "./discovery-rules.ts";

/**
 * Holds a device's discovery message, and what the broker keeps beside it, against the rules of Home Assistant: as it
 * would read them, entity by entity. Knows nothing of how the message was made.
 */

export interface Kept {
  readonly [topic: string]: Buffer | undefined;
}

type Fields = Readonly<Record<string, unknown>>;

export interface ShownEntity {
  readonly key: string;
  readonly platform: string;
  readonly config: Fields;
  /** As it is shown: the state through its template. Of an image its bytes, in latin1. */
  readonly value?: string;
}

export interface CheckedDevice {
  /** One sentence for each; none when Home Assistant takes and shows everything. */
  readonly problems: readonly string[];
  readonly entities: readonly ShownEntity[];
  readonly commandTopics: readonly string[];
}

export function checkDiscovery(topic: string, kept: Kept, prefix = "homeassistant"): CheckedDevice {
  const problems: string[] = [];
  const say = (problem: string) => problems.push(problem);
  if (!new RegExp(`^${prefix}/device/[A-Za-z0-9_-]+/config$`).test(topic)) say(`${topic}: not a discovery topic`);
  const message = objectOf(kept[topic]);
  if (message === undefined)
    return { problems: [...problems, `${topic}: no JSON object`], entities: [], commandTopics: [] };
  checkMessage(message, say);
  const shared = Object.fromEntries(Object.entries(message).filter(([key]) => inheritedKeys.includes(key)));
  const entities: ShownEntity[] = [];
  for (const [key, component] of Object.entries(isFields(message["components"]) ? message["components"] : {})) {
    if (!isFields(component)) say(`${key}: no object`);
    else entities.push(checkEntity(key, { ...shared, ...component }, kept, say));
  }
  for (const repeated of repeats(entities.map(({ config }) => word(config["unique_id"])))) {
    say(`${repeated}: not a unique id`);
  }
  const commandTopics = entities.flatMap(({ config }) => config["command_topic"] ?? []).map(word);
  for (const repeated of repeats(commandTopics)) say(`${repeated}: commands two entities`);
  for (const each of commandTopics) if (kept[each] !== undefined) say(`${each}: a command is kept there`);
  return { problems, entities, commandTopics };
}

type Say = (problem: string) => void;

function checkMessage(message: Fields, say: Say): void {
  const { device, origin, components } = message;
  for (const key of Object.keys(message)) {
    if (!["device", "origin", "components", ...inheritedKeys].includes(key)) say(`${key}: unknown at the top`);
  }
  if (!isFields(device)) say("device: missing");
  else {
    for (const key of Object.keys(device)) if (!deviceKeys.includes(key)) say(`device.${key}: unknown`);
    const { identifiers, connections } = device;
    const ids: readonly unknown[] = Array.isArray(identifiers) ? identifiers : [identifiers];
    const isKnown = ids.length > 0 && ids.every(isText);
    if (!isKnown && !Array.isArray(connections)) say("device: neither identifiers nor connections");
  }
  if (!isFields(origin) || !isText(origin["name"])) say("origin: no name");
  if (!isFields(components) || Object.keys(components).length === 0) say("components: none");
}

function checkEntity(key: string, config: Fields, kept: Kept, say: Say): ShownEntity {
  const platform = word(config["platform"]);
  const rules = platforms[platform];
  const saying: Say = (problem) => say(`${key}: ${problem}`);
  if (!/^[A-Za-z0-9_-]+$/.test(key)) saying("not a key");
  if (rules === undefined) {
    saying(`unknown platform ${platform}`);
    return { key, platform, config };
  }
  for (const each of Object.keys(config)) {
    const isKnown = [...commonKeys, ...rules.required, ...rules.optional].includes(each);
    if (!isKnown && !inheritedKeys.includes(each)) saying(`${each} is unknown for ${platform}`);
  }
  for (const each of rules.required) if (config[each] === undefined) saying(`${each} is missing`);
  for (const each of ["unique_id", "name"]) if (!isText(config[each])) saying(`${each} is missing`);
  for (const [name, value] of Object.entries(config)) {
    if (name.endsWith("_topic") && !isTopic(value)) saying(`${name} ${word(value)} is no topic`);
  }
  const category = config["entity_category"];
  if (category !== undefined && category !== "diagnostic" && !(category === "config" && rules.isSetting)) {
    saying(`entity_category ${word(category)} is refused for ${platform}`);
  }
  checkAvailability(config, kept, saying);
  checkClasses(platform, config, saying);
  const value = shownValue(platform, config, kept, saying);
  return { key, platform, config, ...(value === undefined ? {} : { value }) };
}

/** Without any an entity is always there; a device that can be away must say so. */
function checkAvailability(config: Fields, kept: Kept, say: Say): void {
  const { availability, availability_topic: single } = config;
  if (availability !== undefined && single !== undefined) say("availability in two ways");
  const list: readonly unknown[] = Array.isArray(availability) ? availability : [config];
  for (const each of list) {
    if (!isFields(each)) {
      say("availability: no object");
      continue;
    }
    const topic = Array.isArray(availability) ? each["topic"] : single;
    const { payload_available: yes = "online", payload_not_available: no = "offline" } = each;
    if (!isTopic(topic)) say("no availability topic");
    else if (![yes, no].includes(kept[topic]?.toString())) say(`availability ${topic} is not live`);
  }
}

function checkClasses(platform: string, config: Fields, say: Say): void {
  const { device_class: deviceClass, unit_of_measurement: unit, state_class: stateClass } = config;
  if (deviceClass !== undefined) {
    const known = platforms[platform]?.deviceClasses ?? [];
    if (!isText(deviceClass) || !known.includes(deviceClass)) say(`device_class ${word(deviceClass)} is unknown`);
    const fitting = units[word(deviceClass)];
    const isMissing = fitting !== undefined && fitting.length > 0 && unit === undefined;
    if (isMissing) say(`${word(deviceClass)} without a unit`);
    if (fitting !== undefined && unit !== undefined && !fitting.includes(word(unit))) {
      say(`unit ${word(unit)} does not fit ${word(deviceClass)}`);
    }
  }
  if (stateClass === undefined) return;
  const fitting = stateClasses[word(deviceClass)] ?? anyStateClass;
  if (!fitting.includes(word(stateClass))) say(`state_class ${word(stateClass)} does not fit`);
}

/** Every topic that a platform reads has to be live: kept at the broker, and readable by its template. */
function shownValue(platform: string, config: Fields, kept: Kept, say: Say): string | undefined {
  if (platform === "image") return shownImage(config, kept, say);
  const { state_topic: topic, value_template: template } = config;
  if (topic === undefined) {
    if (platform !== "button") say("nothing shows its state");
    return undefined;
  }
  const payload = kept[word(topic)];
  if (payload === undefined) {
    say(`${word(topic)} is not live`);
    return undefined;
  }
  const value = template === undefined ? payload.toString() : rendered(word(template), payload);
  if (value === undefined) say(`${word(template)} finds nothing in ${payload.toString().slice(0, 200)}`);
  else if (value !== "None") checkValue(platform, value, config, say);
  return value;
}

function shownImage(config: Fields, kept: Kept, say: Say): string | undefined {
  const { image_topic: topic, url_topic: url, content_type: type = "image/jpeg" } = config;
  if ((topic === undefined) === (url === undefined)) say("one of image_topic and url_topic is needed");
  const image = kept[word(topic)];
  if (image === undefined) say(`${word(topic)} is not live`);
  else if (type !== "image/jpeg" || !/^ffd8.*ffd9$/.test(image.toString("hex"))) say(`${word(topic)} is no JPEG`);
  return image?.toString("latin1");
}

function checkValue(platform: string, value: string, config: Fields, say: Say): void {
  const wrong = () => say(`shows ${JSON.stringify(value)}`);
  const { device_class: deviceClass, unit_of_measurement: unit, state_class: stateClass } = config;
  const { min = 1, max = 100, options, payload_on: on = "ON", payload_off: off = "OFF" } = config;
  const isNumber = /^-?\d+(\.\d+)?(e[+-]?\d+)?$/.test(value);
  switch (platform) {
    case "binary_sensor":
    case "switch":
      if (value !== on && value !== off) wrong();
      break;
    case "number":
      if (!isNumber || Number(value) < Number(min) || Number(value) > Number(max)) wrong();
      break;
    case "select":
      if (!Array.isArray(options) || !options.includes(value)) wrong();
      break;
    case "sensor":
      if (deviceClass === "timestamp") {
        if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(value)) wrong();
      } else if (unit !== undefined || stateClass !== undefined || deviceClass !== undefined) {
        if (!isNumber) wrong();
      } else if (value.length > 255) wrong();
  }
}

/** `{{ value_json.a.b }}` alone, as Jinja renders it. Undefined where it names nothing, or is something else. */
export function rendered(template: string, payload: Buffer): string | undefined {
  const path = /^\{\{ value_json((?:\.[A-Za-z_][A-Za-z0-9_]*)+) \}\}$/.exec(template)?.[1];
  let value: unknown = objectOf(payload);
  if (path === undefined) return undefined;
  for (const step of path.slice(1).split(".")) value = isFields(value) ? value[step] : undefined;
  if (value === undefined || (typeof value === "object" && value !== null)) return undefined;
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  return word(value);
}

function objectOf(payload: Buffer | undefined): Fields | undefined {
  try {
    const value: unknown = JSON.parse(payload?.toString() ?? "");
    return isFields(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function word(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

function isTopic(value: unknown): value is string {
  return isText(value) && value.length <= 65_535 && !/[#+\0]/.test(value);
}

function repeats(words: readonly string[]): readonly string[] {
  return words.filter((word, at) => words.indexOf(word) < at);
}
