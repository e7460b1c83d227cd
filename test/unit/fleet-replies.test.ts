import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { KnownDevices } from "../../agent/fleet/known-devices.ts";
import { Replies } from "../../agent/fleet/replies.ts";
import { replyOf, type ShownReply } from "../../agent/fleet/reply-message.ts";
import type { MqttMessage } from "../../src/link/mqtt-subscription.ts";
import { SimulatedClock } from "../lib/seams.ts";

const never = new AbortController().signal;

function message(value: unknown, more: Partial<MqttMessage> = {}): MqttMessage {
  const payload = Buffer.from(typeof value === "string" ? value : JSON.stringify(value));
  return { topic: "framepost/reply/x", payload, qos: 1, retain: false, arrivedMs: 0, ...more };
}

function reply(device: string, more: object = {}): MqttMessage {
  return message({ v: 1, device, cmd: "ping", id: "1", state: "done", code: "ok", ...more });
}

function listening() {
  const shown: ShownReply[] = [];
  const replies = new Replies("1", new SimulatedClock(), (each) => shown.push(each));
  return { replies, shown };
}

describe("the replies to a remote command", () => {
  it("are complete with the last final one of those that are expected", async () => {
    const { replies, shown } = listening();
    for (const device of ["a", "b"]) replies.expect(device);
    replies.take(reply("a", { state: "accepted", code: "accepted" }));
    replies.take(reply("a"));
    replies.take(reply("b", { state: "progress", code: "progress" }));
    assert.deepEqual(replies.missing(), ["b"]);
    assert.equal(await replies.complete(1_000, never), false);
    replies.take(reply("b", { state: "failed", code: "timeout" }));
    assert.equal(await replies.complete(1_000, never), true);
    assert.equal(replies.failures(), 1);
    assert.equal(shown.length, 4);
  });

  it("of other callers are left alone, also without an id, and a second final one changes nothing", () => {
    const { replies, shown } = listening();
    replies.expect("a");
    replies.take(reply("a", { id: "2" }));
    replies.take(reply("a", { id: undefined }));
    for (const value of ["", "[]", "{", { device: "a" }, { device: 1, cmd: 2 }]) replies.take(message(value));
    assert.equal(shown.length, 0);
    replies.take(reply("a", { state: "refused", code: "busy" }));
    replies.take(reply("a"));
    assert.deepEqual(
      replies.finals().map((final) => final.reply.code),
      ["busy"],
    );
  });

  it("that speak for many have no id, and are known by their correlation data", () => {
    const { replies } = listening();
    replies.expect("a");
    const busy = { id: undefined, state: "refused", code: "busy" };
    replies.take({ ...reply("a", busy), correlationData: Buffer.from("1") });
    assert.deepEqual(replies.missing(), []);
  });

  it("are not waited for from devices that are away, which count as missing all the same", async () => {
    const { replies } = listening();
    replies.expect("a");
    replies.expect("away");
    replies.giveUpOn("away");
    replies.take(reply("a"));
    assert.equal(await replies.complete(60_000, never), true);
    assert.deepEqual(replies.missing(), ["away"]);
  });

  it("are waited for until the end where nobody is known", async () => {
    const { replies } = listening();
    replies.take(reply("a"));
    assert.equal(await replies.complete(1_000, never), false);
    assert.equal(replies.finals().length, 1);
  });

  it("end with the program", async () => {
    const { replies } = listening();
    replies.expect("a");
    await assert.rejects(replies.complete(60_000, AbortSignal.abort()));
  });

  it("may come from another version", () => {
    const parsed = replyOf(reply("a", { state: "refused", code: "newer_code", extra: 1, message: 5 }));
    assert.deepEqual(parsed, { device: "a", cmd: "ping", id: "1", state: "refused", code: "newer_code" });
    assert.equal(replyOf(reply("a", { state: "newer_state" })), undefined);
  });
});

describe("what devices keep at the broker", () => {
  const kept = (topic: string, value: unknown) => message(value, { topic, retain: true });

  it("says who is there, with what, and since when", async () => {
    const known = new KnownDevices(new SimulatedClock());
    known.take(kept("framepost/b/availability", "offline"));
    known.take(kept("framepost/a/availability", "online"));
    known.take(kept("framepost/a/info", { version: "1.2.3", groups: ["yard", 5] }));
    const targets = {
      x: { pending: 2, lastAcceptedAgeMs: 70 },
      y: { pending: 3, lastAcceptedAgeMs: 60 },
      z: { pending: "?" },
    };
    known.take(kept("framepost/a/status", { clock: { atMs: 99, quality: "synchronised" }, state: "ok", targets }));
    await known.collected(never);
    assert.deepEqual(known.list(), [
      {
        ...{ device: "a", online: true, version: "1.2.3", groups: ["yard"] },
        ...{ state: "ok", statusAtMs: 99, clockIsRight: true, pending: 5, lastUploadAgeMs: 60 },
      },
      { device: "b", online: false, groups: [] },
    ]);
    assert.deepEqual(
      known.inGroup("yard").map(({ device }) => device),
      ["a"],
    );
  });

  it("may be anything", () => {
    const known = new KnownDevices(new SimulatedClock());
    for (const value of ["", "{", "[]", "null", { targets: {}, groups: {}, version: 1 }]) {
      for (const kind of ["availability", "info", "status", "other"]) known.take(kept(`framepost/a/${kind}`, value));
    }
    assert.deepEqual(known.list(), [{ device: "a", online: false, groups: [], pending: 0 }]);
  });
});
