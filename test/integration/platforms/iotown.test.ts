import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { IotownSandbox } from "../../../src/sandbox/iotown/server.ts";
import { platformSuite } from "../../lib/platform-cases.ts";
import { sampleJpeg } from "../../lib/records.ts";

const token = "iotown-command-canary";

async function make() {
  const sandbox = new IotownSandbox({ token });
  const { url } = await sandbox.start();
  return {
    sandbox,
    environment: { FRAMEPOST_IOTOWN_URL: url, FRAMEPOST_IOTOWN_TOKEN: token },
    secrets: [token],
    [Symbol.asyncDispose]: () => sandbox.stop(),
  };
}

platformSuite("iotown", make, [
  {
    operation: "upload-image",
    shows: "a picture with a label",
    words: async (_, folder) => {
      const file = join(folder, "a.jpg");
      await writeFile(file, sampleJpeg(1));
      return [file, "--labels", '[{"name":"human","x":0.3,"y":0.4,"w":0.2,"h":0.5}]'];
    },
    check(_, { sandbox }) {
      assert.deepEqual(sandbox.stored()[0]?.labels, [{ name: "human", x: 0.3, y: 0.4, w: 0.2, h: 0.5 }]);
    },
  },
]);
