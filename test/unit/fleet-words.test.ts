import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { z } from "zod";
import { errandOf } from "../../agent/fleet/request.ts";
import { addressed, argumentsFrom } from "../../agent/fleet/request-words.ts";
import { isChosen, rolloutRequestId } from "../../agent/fleet/rollout.ts";
import { argumentsOf } from "../../src/remote/commands/arguments.ts";
import type { CommandSpec } from "../../src/remote/command.ts";
import { commandSpecs } from "../../src/remote/commands/specs.ts";

const args = z.strictObject({
  name: z.string().optional().describe("Whose it is"),
  count: z.int().min(1),
  mode: z.enum(["day", "night"]).optional(),
  labels: z.array(z.string()).optional(),
  on: z.boolean().optional(),
});

const spec = {
  ...{ name: "lamp.set", summary: "Sets the lamp.", scope: "config", effect: true, answer: "empty" },
  ...{ args, example: { count: 1 } },
} as const satisfies CommandSpec<typeof args>;

const usage = { code: "USAGE_COMMAND" };

describe("a remote command as a person types it", () => {
  it("goes to a device, a group or all", () => {
    assert.deepEqual(addressed(["gw-1", "ping"], {}).to, { kind: "device", device: "gw-1" });
    assert.deepEqual(addressed(["ping", "a=1"], { group: "yard" }), {
      to: { kind: "group", group: "yard" },
      name: "ping",
      argumentWords: ["a=1"],
    });
    assert.deepEqual(addressed(["ping"], { all: true }).to, { kind: "all" });
  });

  it("is refused where nobody or everybody could be meant", () => {
    for (const words of [["gw-1"], ["all", "ping"], ["gw/1", "ping"], ["+", "ping"]]) {
      assert.throws(() => addressed(words, {}), usage);
    }
    assert.throws(() => addressed(["ping"], { group: "#" }), usage);
    assert.throws(() => addressed(["ping"], { group: "yard", all: true }), usage);
  });

  it("takes arguments as one JSON object, or as name=value", () => {
    const words = ["name=007", "count=2", "mode=night", 'labels=["person"]', "on=true"];
    const given = { name: "007", count: 2, mode: "night", labels: ["person"], on: true };
    assert.deepEqual(argumentsFrom(words, spec, false), given);
    assert.deepEqual(argumentsFrom([JSON.stringify(given)], spec, false), given);
    assert.deepEqual(argumentsFrom(["name=a=b", "count=1"], spec, false), { name: "a=b", count: 1 });
  });

  it("finds a slip before anything is sent, unless the device is to find it", () => {
    for (const words of [
      ["count=0"],
      ["count"],
      ["cuont=1"],
      ["count=1", "count=2"],
      ["{count:1}"],
      ["mode=dusk", "count=1"],
    ]) {
      assert.throws(() => argumentsFrom(words, spec, false), usage);
    }
    assert.deepEqual(argumentsFrom(["cuont=1"], spec, true), { cuont: 1 });
  });

  it("cannot set what every object inherits", () => {
    const given = argumentsFrom(["__proto__=1", "count=1"], spec, true);
    assert.deepEqual(Object.keys(given), ["__proto__", "count"]);
  });

  it("says what the arguments are", () => {
    assert.deepEqual(argumentsOf(spec), [
      { name: "name", type: "text", required: false, description: "Whose it is" },
      { name: "count", type: "whole number", required: true },
      { name: "mode", type: "day | night", required: false },
      { name: "labels", type: "list of text", required: false },
      { name: "on", type: "true or false", required: false },
    ]);
  });

  it("has words for the arguments of every command there is", () => {
    for (const each of commandSpecs) {
      for (const { name, type } of argumentsOf(each)) assert.notEqual(type, "any", `${each.name} ${name}`);
    }
  });

  it("is not begun when nobody waits any more", () => {
    const { request, timeoutMs } = errandOf(["ping"], { all: true, spread: 60_000 }, "1");
    assert.equal(timeoutMs, 90_000);
    assert.equal(request.ttlMs, 90_000);
    assert.equal(request.spreadMs, 60_000);
    assert.throws(() => errandOf(["ping"], { all: true, spread: 60_000, ttl: 5_000 }, "1"), usage);
    assert.throws(() => errandOf(["gw-1", "ping"], { spread: 60_000 }, "1"), usage);
  });
});

describe("a staged roll-out", () => {
  const devices = Array.from({ length: 5_000 }, (_, index) => `gw-${index}`);
  const chosen = (rollout: string, percent: number) => devices.filter((device) => isChosen(device, rollout, percent));

  it("chooses about the share that was asked for, and keeps it when the share grows", () => {
    const tenth = chosen("a", 10);
    assert.ok(tenth.length > 400 && tenth.length < 600, `${tenth.length} of 5000`);
    const half = new Set(chosen("a", 50));
    assert.ok(tenth.every((device) => half.has(device)));
    assert.equal(chosen("a", 100).length, devices.length);
  });

  it("begins with other devices under another id", () => {
    const first = new Set(chosen("a", 10));
    const both = chosen("b", 10).filter((device) => first.has(device));
    assert.ok(both.length < 100, `${both.length} in both`);
  });

  it("has one request id for one request, and another for another", () => {
    const id = rolloutRequestId("r1", "model.select", { args: { name: "a" } });
    assert.equal(rolloutRequestId("r1", "model.select", { args: { name: "a" } }), id);
    assert.notEqual(rolloutRequestId("r1", "model.select", { args: { name: "b" } }), id);
    assert.notEqual(rolloutRequestId("r2", "model.select", { args: { name: "a" } }), id);
    assert.match(rolloutRequestId("r".repeat(48), "x", { args: {} }), /^[A-Za-z0-9._:-]{1,64}$/);
  });
});
