import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { checkDiscovery, rendered, type Kept } from "../lib/discovery-checker.ts";
import { handmadeJpeg } from "../lib/jpegs.ts";

const topic = "homeassistant/device/gw/config";

/** A message by hand, as the documentation of Home Assistant shows one. */
const good = {
  device: { identifiers: ["gw"], name: "gw" },
  origin: { name: "somebody" },
  availability: [{ topic: "a/gw/there" }],
  components: {
    heat: {
      ...{ platform: "sensor", name: "Heat", unique_id: "gw_heat", state_topic: "a/gw/state" },
      ...{ device_class: "temperature", unit_of_measurement: "°C", state_class: "measurement" },
      value_template: "{{ value_json.heat }}",
    },
    seen: {
      ...{ platform: "sensor", name: "Seen", unique_id: "gw_seen", state_topic: "a/gw/state" },
      ...{ device_class: "timestamp", value_template: "{{ value_json.seen }}" },
    },
    bad: {
      ...{ platform: "binary_sensor", name: "Bad", unique_id: "gw_bad", state_topic: "a/gw/state" },
      ...{ device_class: "problem", value_template: "{{ value_json.bad }}", entity_category: "diagnostic" },
    },
    limit: {
      ...{ platform: "number", name: "Limit", unique_id: "gw_limit", state_topic: "a/gw/state" },
      ...{ command_topic: "a/gw/set/limit", value_template: "{{ value_json.limit }}", min: 0, max: 1, step: 0.1 },
    },
    now: { platform: "button", name: "Now", unique_id: "gw_now", command_topic: "a/gw/set/now" },
    view: { platform: "image", name: "View", unique_id: "gw_view", image_topic: "a/gw/view" },
  },
};

const state = { heat: 21.5, seen: "2026-11-22T02:49:41.733Z", bad: "OFF", limit: 0.5 };

interface Change {
  readonly top?: object;
  readonly components?: Readonly<Record<string, object | undefined>>;
  readonly state?: object;
  readonly kept?: Readonly<Record<string, string | undefined>>;
}

function keptWith(change: Change): Kept {
  const components = Object.fromEntries(
    Object.entries({ ...good.components, ...change.components }).map(([key, component]) => {
      const before = (good.components as Readonly<Record<string, object>>)[key];
      return [key, { ...before, ...component }];
    }),
  );
  const message = { ...good, components, ...change.top };
  const texts = Object.entries(change.kept ?? {}).map(([at, text]) => [at, text && Buffer.from(text)] as const);
  return {
    [topic]: Buffer.from(JSON.stringify(message)),
    "a/gw/there": Buffer.from("online"),
    "a/gw/state": Buffer.from(JSON.stringify({ ...state, ...change.state })),
    "a/gw/view": handmadeJpeg(8, 8),
    ...(Object.fromEntries(texts) as Kept),
  };
}

const faults: Readonly<Record<string, Change>> = {
  "no device": { top: { device: undefined } },
  "a device without an id": { top: { device: { name: "gw" } } },
  "an unknown key of the device": { top: { device: { identifiers: ["gw"], firmware: "1" } } },
  "no origin": { top: { origin: undefined } },
  "no components": { top: { components: {} } },
  "an unknown key at the top": { top: { name: "gw" } },
  "nobody knows whether it is there": { top: { availability: undefined } },
  "an availability topic that is silent": { kept: { "a/gw/there": undefined } },
  "an availability that is another word": { kept: { "a/gw/there": "yes" } },
  "a key outside of the alphabet": { components: { "he at": good.components.heat } },
  "an unknown platform": { components: { heat: { platform: "thermometer" } } },
  "two entities with one id": { components: { heat: { unique_id: "gw_bad" } } },
  "no id": { components: { heat: { unique_id: undefined } } },
  "no name": { components: { heat: { name: "" } } },
  "a key of another platform": { components: { heat: { payload_press: "PRESS" } } },
  "no state topic": { components: { bad: { state_topic: undefined } } },
  "no command topic": { components: { now: { command_topic: undefined } } },
  "a topic with a wildcard": { components: { now: { command_topic: "a/gw/set/+" } } },
  "one command topic for two": { components: { now: { command_topic: "a/gw/set/limit" } } },
  "a command that is kept": { kept: { "a/gw/set/now": "PRESS" } },
  "a state topic that is silent": { kept: { "a/gw/state": undefined } },
  "a state that is no JSON": { kept: { "a/gw/state": "21.5" } },
  "a template for what is not there": { components: { heat: { value_template: "{{ value_json.cold }}" } } },
  "a template that finds an object": { state: { heat: {} } },
  "a device class that is none": { components: { heat: { device_class: "warmth" } } },
  "a unit of something else": { components: { heat: { unit_of_measurement: "s" } } },
  "no unit": { components: { heat: { unit_of_measurement: undefined } } },
  "a unit of a time": { components: { seen: { unit_of_measurement: "s" } } },
  "a state class of a time": { components: { seen: { state_class: "measurement" } } },
  "a state class that does not fit": { components: { heat: { state_class: "total" } } },
  "a sensor that is a setting": { components: { heat: { entity_category: "config" } } },
  "a word for a number": { state: { heat: "warm" } },
  "a time without its zone": { state: { seen: "2026-11-22T02:49:41" } },
  "true for ON": { state: { bad: true } },
  "a number beyond its bounds": { state: { limit: 2 } },
  "no picture": { kept: { "a/gw/view": undefined } },
  "base64 for a picture": { kept: { "a/gw/view": handmadeJpeg(8, 8).toString("base64") } },
  "a picture in two ways": { components: { view: { url_topic: "a/gw/url" } } },
};

describe("the checker of discovery messages", () => {
  it("finds nothing wrong with a good one, and shows what Home Assistant would", () => {
    const { problems, entities, commandTopics } = checkDiscovery(topic, keptWith({}));
    assert.deepEqual(problems, []);
    const shown = Object.fromEntries(entities.map(({ key, value }) => [key, value?.slice(0, 30)]));
    assert.equal(shown["heat"], "21.5");
    assert.equal(shown["bad"], "OFF");
    assert.equal(shown["now"], undefined);
    assert.deepEqual(commandTopics, ["a/gw/set/limit", "a/gw/set/now"]);
  });

  it("takes what is not known", () => {
    const unknown = { heat: null, seen: null, bad: null, limit: null };
    assert.deepEqual(checkDiscovery(topic, keptWith({ state: unknown })).problems, []);
    assert.equal(rendered("{{ value_json.heat }}", Buffer.from('{"heat":null}')), "None");
  });

  for (const [fault, change] of Object.entries(faults)) {
    it(`finds ${fault}`, () => {
      assert.notDeepEqual(checkDiscovery(topic, keptWith(change)).problems, []);
    });
  }

  it("finds a topic that is none of discovery's", () => {
    const { [topic]: message, ...others } = keptWith({});
    const elsewhere = "homeassistant/device/g w/config";
    assert.notDeepEqual(checkDiscovery(elsewhere, { ...others, [elsewhere]: message }).problems, []);
  });
});
