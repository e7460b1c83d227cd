import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { FrameStream } from "../../src/capture/stream/frame-stream.ts";
import { AgentError } from "../../src/core/errors.ts";

const never = new AbortController().signal;
const gone = new AgentError("CAMERA_LOST", "it is gone", { disposition: "retry" });

describe("frames of a continuous source", () => {
  it("go to whoever waits, the first that completes after the call, as a copy", async () => {
    const stream = new FrameStream(0);
    stream.offer(Buffer.from("before the call"));
    const first = stream.next(never);
    const second = stream.next(never);
    const memory = Buffer.from("one");
    stream.offer(memory);
    memory.write("two");
    stream.offer(memory);
    assert.deepEqual([String(await first), String(await second)], ["one", "one"]);
    assert.equal(stream.framesSeen(), 3);
  });

  it("are waited for until an abort, and then by nobody", async () => {
    const stream = new FrameStream(0);
    const giving = new AbortController();
    const given = stream.next(giving.signal);
    const kept = stream.next(never);
    giving.abort(new Error("enough"));
    await assert.rejects(given, /enough/);
    await assert.rejects(stream.next(giving.signal), /enough/);
    stream.offer(Buffer.from("frame"));
    assert.equal(String(await kept), "frame");
  });

  it("end with the first error, for those that wait, watch or come later", async () => {
    const stream = new FrameStream(0);
    const told: AgentError[] = [];
    const waiting = stream.next(never);
    stream.onBroken((error) => told.push(error));
    stream.onBroken((error) => told.push(error))();
    stream.fail(gone);
    stream.fail(new AgentError("CAMERA_BUSY", "later", { disposition: "retry" }));
    stream.offer(Buffer.from("late"));
    await assert.rejects(waiting, gone);
    await assert.rejects(stream.next(never), gone);
    stream.onBroken((error) => told.push(error));
    assert.deepEqual(told, [gone, gone]);
    assert.equal(stream.framesSeen(), 0);
  });

  it("are missing in words: how much came since the last one, and what the source said", () => {
    let said = "";
    const stream = new FrameStream(0, () => said);
    assert.equal(stream.silence(), "nothing came");
    stream.received(400);
    assert.equal(stream.silence(), "400 bytes came, and no picture was among them");
    stream.offer(Buffer.from("frame"));
    said = "no signal";
    assert.equal(stream.silence(), "nothing came; it said: no signal");
  });
});
