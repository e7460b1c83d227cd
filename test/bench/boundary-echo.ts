import { Socket } from "node:net";
import { Channel } from "../../src/vision/channel.ts";

/** The child of the transport benchmark: answers every picture with its length, over Node's own messages or ours. */

if (process.argv[2] === "messages") {
  process.on("message", (message: { readonly id: number; readonly body: Uint8Array }) => {
    process.send?.({ id: message.id, bytes: message.body.length });
  });
  process.on("disconnect", () => process.exit(0));
} else {
  const channel = new Channel(
    new Socket({ fd: 3 }),
    ({ body }) => channel.send({ bytes: body.length }),
    () => process.exit(0),
  );
  channel.listen();
}
