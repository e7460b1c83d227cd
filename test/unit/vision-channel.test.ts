import assert from "node:assert/strict";
import { once } from "node:events";
import { PassThrough } from "node:stream";
import { describe, it } from "mocha";
import { visionLimits } from "../../src/core/vision-limits.ts";
import { Channel, type Message } from "../../src/vision/channel.ts";
import { seededRandom } from "../lib/seams.ts";

/** What a channel writes, as bytes. */
function written(send: (channel: Channel) => void): Buffer {
  const stream = new PassThrough();
  const channel = new Channel(
    stream,
    () => undefined,
    () => undefined,
  );
  send(channel);
  return stream.read() as Buffer;
}

function receiving() {
  const stream = new PassThrough();
  const messages: Message[] = [];
  const closed: string[] = [];
  const channel = new Channel(
    stream,
    (message) => messages.push(message),
    (why) => closed.push(why),
  );
  channel.listen();
  return { stream, messages, closed };
}

describe("channel to the vision process", () => {
  const random = seededRandom(5);
  const body = Buffer.from(Array.from({ length: 5_000 }, () => Math.floor(random() * 256)));

  it("carries messages with and without a body, however the stream cuts them", async () => {
    const bytes = written((channel) => {
      channel.send({ id: 1 }, body);
      channel.send({ id: 2 });
      channel.send({ id: 3, text: "ä€" }, body.subarray(0, 1));
    });
    for (const step of [1, 7, 64, bytes.length]) {
      const { stream, messages, closed } = receiving();
      for (let at = 0; at < bytes.length; at += step) stream.write(bytes.subarray(at, at + step));
      stream.end();
      await once(stream, "close");
      assert.deepEqual(
        messages.map(({ header }) => header),
        [{ id: 1 }, { id: 2 }, { id: 3, text: "ä€" }],
      );
      assert.ok(messages[0]?.body.equals(body));
      assert.equal(messages[1]?.body.length, 0);
      assert.equal(closed.length, 1);
    }
  });

  it("closes on a message longer than the limit without allocating it", () => {
    const { stream, messages, closed } = receiving();
    const prefix = Buffer.alloc(8);
    prefix.writeUInt32LE(2, 0);
    prefix.writeUInt32LE(visionLimits.messageBytesMax, 4);
    stream.emit("data", prefix);
    assert.match(closed[0] ?? "", /a message of \d+ bytes/);
    assert.equal(messages.length, 0);
  });

  it("closes on a header that is no JSON", () => {
    const { stream, closed } = receiving();
    stream.emit("data", Buffer.from([3, 0, 0, 0, 0, 0, 0, 0, 0x7b, 0x7b, 0x7b]));
    assert.deepEqual(closed, ["a header that is no JSON"]);
  });
});
