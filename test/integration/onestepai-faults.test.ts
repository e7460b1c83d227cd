import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "mocha";
import { onestepaiLimits } from "../../src/core/platform-limits.ts";
import type { Outcome } from "../../src/core/outcome.ts";
import type { Delivery } from "../../src/core/ports.ts";
import { redirectFault, type SandboxFault } from "../../src/sandbox/faults.ts";
import { onestepaiFaults } from "../../src/sandbox/onestepai/faults.ts";
import { OnestepaiSandbox, sandboxDatasetId } from "../../src/sandbox/onestepai/server.ts";
import { onestepaiConfig } from "../../src/targets/onestepai/config.ts";
import { OnestepaiTarget } from "../../src/targets/onestepai/target.ts";
import { commonOutcomes, commonStoring } from "../lib/fault-outcomes.ts";
import { assertClean, inWords } from "../lib/outcome-words.ts";
import { sampleDelivery, sampleJpeg } from "../lib/records.ts";
import { tcpServer } from "../lib/servers.ts";
import { MemoryForTarget } from "../lib/target-memory.ts";

const accessToken = "onestepai-fault-canary";
const secrets = [accessToken, "eyJhbGciOiJub25lIn0"];
const never = new AbortController().signal;
const chunk = /^POST .*\/UploadChunk$/;
const start = /\/StartUploading$/;
const finish = /\/FinishUploading$/;
const signIn = /\/SignIn$/;
const category = /\/Categories$/;

/** What the delivery comes to when the image itself meets the fault. */
const onImage: Readonly<Record<Exclude<keyof typeof onestepaiFaults, "slow">, string>> = {
  ...commonOutcomes,
  "bad-request-400": "target? PLATFORM_UNCERTAIN",
  "unauthorized-401": "accepted",
  "bad-gateway-502-after-store": "target? HTTP_502",
  "no-content-204": "target? HTTP_UNEXPECTED_STATUS",
  "not-json": "accepted",
};

/** Those after which the picture is at the server. */
const storing: ReadonlySet<string> = new Set<keyof typeof onImage>([
  ...commonStoring,
  "unauthorized-401",
  "bad-gateway-502-after-store",
  "not-json",
]);

/** The same for the steps before the image: none of them may cost the record. */
const onSteps: readonly (readonly [string, RegExp, keyof typeof onestepaiFaults, string])[] = [
  ["sign-in", signIn, "bad-request-400", "target PLATFORM_REFUSED"],
  ["sign-in", signIn, "unauthorized-401", "target HTTP_401"],
  ["sign-in", signIn, "html", "target? HTTP_NOT_THE_PLATFORM"],
  ["sign-in", signIn, "html-400", "target? HTTP_NOT_THE_PLATFORM"],
  ["sign-in", signIn, "not-json", "target? HTTP_NOT_THE_PLATFORM"],
  ["sign-in", signIn, "no-content-204", "target? HTTP_UNEXPECTED_STATUS"],
  ["sign-in", signIn, "hang", "target? NET_TIMEOUT"],
  ["category", category, "bad-request-400", "record PLATFORM_CATEGORY"],
  ["category", category, "html", "target? HTTP_NOT_THE_PLATFORM"],
  ["category", category, "server-error-500", "target? HTTP_500"],
  ["start", start, "bad-request-400", "target PLATFORM_LOCKED after 30000"],
  ["start", start, "unauthorized-401", "accepted"],
  ["start", start, "not-found-404", "target HTTP_404"],
  ["start", start, "html", "target? HTTP_NOT_THE_PLATFORM"],
  ["start", start, "no-content-204", "target? HTTP_UNEXPECTED_STATUS"],
  ["start", start, "unavailable-503", "target? HTTP_503 after 11000"],
  ["finish", finish, "bad-request-400", "accepted"],
  ["finish", finish, "bad-gateway-502", "accepted"],
  ["finish", finish, "html", "accepted"],
  ["finish", finish, "reset-late", "accepted"],
  ["finish", finish, "hang", "accepted"],
];

describe("OneStepAI target under faults", () => {
  let sandbox: OnestepaiSandbox;
  let target: OnestepaiTarget;
  let url: string;
  let memory: MemoryForTarget;

  beforeEach(async () => {
    sandbox = new OnestepaiSandbox({ accessToken });
    ({ url } = await sandbox.start());
    memory = new MemoryForTarget();
    target = targetFor();
  });
  afterEach(async () => {
    await target.close();
    await sandbox.stop();
  });

  /** Only where the server hangs: on a busy machine any answer may take a while. */
  const impatient = { link: { idleTimeoutMs: 250 }, limits: { ...onestepaiLimits, finishTimeoutMs: 250 } };

  const targetFor = (token = accessToken, options: object = {}): OnestepaiTarget => {
    const place = { url, accessToken: token, datasetId: sandboxDatasetId };
    const category = { default: "gate" };
    const config = { id: "osai", kind: "onestepai", ...place, category, createCategories: true };
    return new OnestepaiTarget(onestepaiConfig.parse(config), {
      ...{ memory, ...options },
    });
  };

  async function deliver(delivery: Delivery, signal = never, by = target): Promise<Outcome> {
    const outcome = (await by.deliver([delivery], signal)).get(delivery.record.id);
    assert.ok(outcome !== undefined);
    if (outcome.kind !== "accepted") assertClean(outcome.error, secrets);
    return outcome;
  }

  async function goesThrough(delivery: Delivery): Promise<void> {
    assert.equal(inWords(await deliver(delivery)), "accepted");
    assert.equal(sandbox.lockOf(), undefined, "the dataset is free again");
    assert.deepEqual(sandbox.violations(), []);
  }

  for (const [name, reading] of Object.entries(onImage)) {
    const stored = storing.has(name) ? 1 : 0;
    it(`${name} at an image: ${reading}`, async () => {
      const delivery = sampleDelivery(1, sampleJpeg(7));
      sandbox.fault(onestepaiFaults[name as keyof typeof onImage], 1, chunk);
      const signal = name === "drip" ? AbortSignal.timeout(120) : never;
      const first = name.startsWith("hang") ? targetFor(accessToken, impatient) : target;
      assert.equal(inWords(await deliver(delivery, signal, first)), reading);
      await first.close();
      assert.equal(sandbox.chunks().length, stored);
      assert.equal(sandbox.lockOf(), undefined, "the upload was ended all the same");
      target = targetFor();
      await goesThrough(delivery);
      // Nothing is lost; what is there twice has one name and the same bytes.
      assert.deepEqual(
        sandbox.chunks().map(({ name: sent }) => sent),
        Array(stored + 1).fill(delivery.record.name),
      );
      assert.equal(sandbox.stored().length, 1);
    });
  }

  for (const [step, on, name, reading] of onSteps) {
    it(`${name} at the ${step}: ${reading}`, async () => {
      sandbox.fault(onestepaiFaults[name], 1, on);
      const delivery = sampleDelivery(1, sampleJpeg(7));
      const first = targetFor(accessToken, name === "hang" ? impatient : {});
      assert.equal(inWords(await deliver(delivery, never, first)), reading);
      await first.close();
      assert.equal(sandbox.chunks().length, reading === "accepted" ? 1 : 0);
      await goesThrough(sampleDelivery(2, sampleJpeg(8)));
      assert.equal(sandbox.stored().length, reading === "accepted" ? 2 : 1);
    });
  }

  it("signs in once more when the JWT has expired, and no more often while it is refused", async () => {
    await goesThrough(sampleDelivery(1, sampleJpeg(1)));
    sandbox.expireTokens();
    const before = sandbox.counts().requests;
    await goesThrough(sampleDelivery(2, sampleJpeg(2)));
    // Refused start, sign-in, start, image, finish.
    assert.equal(sandbox.counts().requests - before, 5);
    sandbox.fault(onestepaiFaults["unauthorized-401"], Infinity, chunk);
    const during = sandbox.counts().requests;
    assert.equal(inWords(await deliver(sampleDelivery(3, sampleJpeg(3)))), "target HTTP_401");
    // Start, image, sign-in, image; the account being refused, the finish is left to the next upload.
    assert.equal(sandbox.counts().requests - during, 4);
    sandbox.heal();
    await goesThrough(sampleDelivery(3, sampleJpeg(3)));
  });

  it("takes no redirect, and shows its token to nobody else", async () => {
    await using other = await tcpServer(() => undefined);
    const fault: SandboxFault = redirectFault(307, `http://127.0.0.1:${other.port}/`);
    sandbox.fault(fault, 1, signIn);
    assert.equal(inWords(await deliver(sampleDelivery(1, sampleJpeg()))), "target HTTP_REDIRECT");
    sandbox.fault(fault, 1, chunk);
    assert.equal(inWords(await deliver(sampleDelivery(1, sampleJpeg()))), "target HTTP_REDIRECT");
    assert.equal(other.connections(), 0);
  });

  it("accepts an answer that comes late but in time", async () => {
    sandbox.fault({ kind: "late", delayMs: 40 }, 1, chunk);
    await goesThrough(sampleDelivery(1, sampleJpeg()));
  });

  it("shows nothing of a sign-in's answer that it cannot read, nor of a server that repeats the token", async () => {
    sandbox.fault({ kind: "answer", status: 200, body: '{"token":"eyJhbGciOiJub25lIn0.x.y"}' }, 1, signIn);
    assert.equal(inWords(await deliver(sampleDelivery(1, sampleJpeg()))), "target? HTTP_NOT_THE_PLATFORM");
    sandbox.fault({ kind: "answer", status: 500, body: `no ${accessToken} here` }, 1, signIn);
    const outcome = await deliver(sampleDelivery(1, sampleJpeg()));
    assert.match(outcome.kind === "retry" ? outcome.error.message : "", /no \*\*\* here/);
  });

  it("tells a probe what is wrong, in words to act on", async () => {
    await target.probe(never);
    assert.deepEqual(sandbox.chunks(), []);
    const wrong = targetFor("another-token");
    await assert.rejects(wrong.probe(never), { code: "HTTP_401", message: /refuses the access token/ });
    await wrong.close();
    sandbox.fault(onestepaiFaults["not-found-404"]);
    await assert.rejects(target.probe(never), { code: "HTTP_404", message: /is the url right/ });
    sandbox.fault(onestepaiFaults.html);
    await assert.rejects(target.probe(never), { code: "HTTP_NOT_THE_PLATFORM" });
  });
});
