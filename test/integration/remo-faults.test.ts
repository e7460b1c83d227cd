import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { HttpLink } from "../../src/link/http.ts";
import { redirectFault } from "../../src/sandbox/faults.ts";
import { remoFaults } from "../../src/sandbox/remo/faults.ts";
import { RemoClient } from "../../src/targets/remo/client.ts";
import { settleAll } from "../contract/target-rounds.ts";
import { commonOutcomes } from "../lib/fault-outcomes.ts";
import { inWords } from "../lib/outcome-words.ts";
import { batch, carriedOn, nameOf, RemoBench } from "../lib/remo-bench.ts";
import { sampleDelivery, sampleJpeg } from "../lib/records.ts";
import { tcpServer } from "../lib/servers.ts";

const never = new AbortController().signal;
const { password, email } = RemoBench;

type FaultName = keyof typeof remoFaults;

/** What one record's delivery comes to when its picture's upload meets the fault, which then is over. */
const onUpload: Readonly<Record<Exclude<FaultName, "wrong-password" | `status-${string}`>, string>> = {
  ...commonOutcomes,
  "bad-request-400": "target? REMO_REFUSED",
  "long-answer": "target? HTTP_NOT_THE_PLATFORM",
  "not-json": "target? HTTP_NOT_THE_PLATFORM",
  "empty-object": "target? REMO_SESSION_FAILED",
  "bare-string": "target? REMO_ANSWER",
  "errors-in-200": "target? REMO_SESSION_FAILED",
  "error-in-200": "target? REMO_ANSWER",
  "unauthorized-401": "accepted",
  "token-expired": "accepted",
};

describe("remo target under faults at the upload", () => {
  for (const [name, reading] of Object.entries(onUpload)) {
    it(`${name}: ${reading}; nothing is lost and no picture is there twice`, async () => {
      await using bench = await RemoBench.make();
      bench.sandbox.switches.duplicates = "kept";
      bench.sandbox.fault(remoFaults[name as FaultName], 1, /upload\/$/);
      const [delivery] = batch(1);
      assert.ok(delivery !== undefined);
      const stop = new AbortController();
      if (name === "drip") setTimeout(() => stop.abort(), 150);
      const [outcome] = await bench.deliver([delivery], stop.signal);
      assert.ok(outcome !== undefined);
      assert.equal(inWords(outcome), reading);
      if (outcome.kind === "rejected") return;
      const endings = await settleAll(bench.target, carriedOn([delivery], [outcome]));
      for (const ending of endings.values()) assert.equal(ending.kind, "accepted");
      assert.deepEqual(
        bench.holdings().map(([held, , kept, labels]) => [held, kept, labels]),
        [[nameOf(1), 1, 1]],
      );
      // An answer that says nothing leaves it to the session's status: until then the annotations name a picture in vain.
      const [first = "none"] = bench.sandbox.violations();
      assert.match(first, name === "empty-object" ? /neither in dataset nor session/ : /^none$/);
    });
  }

  it("accepts the others when one group of several fails, and keeps the rest owed", async () => {
    await using bench = await RemoBench.make();
    const deliveries = [1, 2, 3].map((each) => sampleDelivery(each, sampleJpeg(each, 3_500_000)));
    bench.sandbox.fault(remoFaults["server-error-500"], 1, /upload\/$/);
    const outcomes = await bench.deliver(deliveries);
    assert.deepEqual(outcomes.map(inWords), ["target? HTTP_500", "target? HTTP_500", "accepted"]);
    const [session] = bench.sandbox.sessions.list();
    assert.equal(session?.status, "done");
    await settleAll(bench.target, carriedOn(deliveries, outcomes));
    assert.deepEqual(
      bench.holdings().map(([, , kept, labels]) => [kept, labels]),
      [1, 2, 3].map(() => [1, 1]),
    );
    assert.equal(bench.sandbox.timesReceived(nameOf(3)), 1);
    assert.deepEqual(bench.sandbox.violations(), []);
  });

  it("sends less at once where something before the server refuses the size of a request", async () => {
    await using bench = await RemoBench.make();
    bench.sandbox.fault(remoFaults["too-large-413"], 1, /upload\/$/);
    assert.deepEqual((await bench.deliver(batch(4))).map(inWords), Array(4).fill("accepted"));
    const first = bench.sandbox.counts().requests;
    const later = [5, 6, 7, 8].map((each) => sampleDelivery(each, sampleJpeg(each)));
    assert.deepEqual((await bench.deliver(later)).map(inWords), Array(4).fill("accepted"));
    // Without the login, the two questions for the set, and the request that was refused: as small as what was taken.
    assert.equal(bench.sandbox.counts().requests - first, first - 4);
    assert.ok(bench.holdings().every(([, received, kept, labels]) => received === 1 && kept === 1 && labels === 1));
    assert.deepEqual(bench.sandbox.violations(), []);
  });

  it("shows the token to nobody whom a redirect names", async () => {
    await using bench = await RemoBench.make();
    await using other = await tcpServer(() => undefined);
    bench.sandbox.fault(redirectFault(307, `http://127.0.0.1:${other.port}/api/`), 1, /upload\/$/);
    const [outcome] = await bench.deliver(batch(1));
    assert.ok(outcome !== undefined);
    assert.equal(inWords(outcome), "target HTTP_REDIRECT");
    assert.equal(other.connections(), 0);
  });
});

describe("remo target and the account", () => {
  it("logs in once more when the token is no longer good, and repeats once", async () => {
    await using bench = await RemoBench.make();
    assert.deepEqual((await bench.deliver(batch(1))).map(inWords), ["accepted"]);
    bench.sandbox.expireTokens();
    const before = bench.sandbox.counts().requests;
    assert.deepEqual((await bench.deliver([sampleDelivery(2, sampleJpeg(2))])).map(inWords), ["accepted"]);
    assert.equal(bench.sandbox.logins(), 2);
    // open, 401, login, open, image, CSV, complete, and the looks at the status.
    assert.ok(bench.sandbox.counts().requests - before <= 11);
  });

  it("does not go round in circles when every answer is 401", async () => {
    await using bench = await RemoBench.make();
    bench.sandbox.fault(remoFaults["token-expired"], Infinity, /api\/(v1|dataset)/);
    assert.deepEqual((await bench.deliver(batch(3))).map(inWords), Array(3).fill("target HTTP_401"));
    assert.equal(bench.sandbox.counts().requests, 4);
    assert.equal(bench.sandbox.logins(), 2);
  });

  it("logs in once for many requests that meet the end of the token together", async () => {
    await using bench = await RemoBench.make();
    const link = new HttpLink({ socketsMax: 8 });
    const client = new RemoClient({ url: bench.url, email, password }, link);
    await client.login(never);
    bench.sandbox.expireTokens();
    const found = await Promise.all(Array.from({ length: 6 }, () => client.dataset(1, never)));
    link.close();
    assert.equal(found.length, 6);
    assert.equal(bench.sandbox.logins(), 2);
  });

  it("takes a wrong password for what it is although the server says 400, and sends nothing", async () => {
    await using bench = await RemoBench.make({ password: "another-canary" });
    const [outcome] = await bench.deliver(batch(1));
    assert.ok(outcome?.kind === "retry");
    assert.equal(inWords(outcome), "target HTTP_401");
    assert.match(outcome.error.message, /refuses the email or the password/);
    assert.ok(!outcome.error.message.includes("another-canary"));
    assert.equal(bench.sandbox.counts().requests, 1);
  });

  it("tells a probe what is wrong, in words to act on, and makes nothing", async () => {
    await using bench = await RemoBench.make();
    await bench.target.probe(never);
    assert.equal(bench.sandbox.world.setsOf(1).length, 0);
    const failing = async (changes: object, code: string, message: RegExp): Promise<void> => {
      const target = bench.makeTarget(changes);
      await assert.rejects(target.probe(never), { code, message });
      await target.close();
    };
    const { world } = bench.sandbox;
    const set = world.addSet(1, "classes", "Image classification");
    await failing({ datasetId: 99 }, "HTTP_404", /is there a dataset 99/);
    await failing({ annotationSetId: set.id }, "REMO_SETTINGS", /is for Image classification/);
    await failing({ password: "wrong" }, "HTTP_401", /refuses the email or the password/);
    world.addSet(1, "a", "Object detection");
    world.addSet(1, "b", "Object detection");
    await failing({}, "REMO_SETTINGS", /has 2 for Object detection.*set annotationSetId/);
  });
});

describe("remo target and annotation sets", () => {
  it("makes one where there is none for the task, and uses it from then on", async () => {
    await using bench = await RemoBench.make({ annotationSetName: "from the gate" });
    bench.sandbox.world.addSet(1, "classes", "Image classification");
    await bench.deliver(batch(2));
    await bench.restart();
    await bench.deliver([sampleDelivery(3, sampleJpeg(3))]);
    const names = bench.sandbox.world.setsOf(1).map(({ name }) => name);
    assert.deepEqual(names, ["classes", "from the gate"]);
    assert.deepEqual(
      bench.holdings().map(([, , , labels]) => labels),
      [1, 1, 1],
    );
  });

  it("refuses to choose among several, and keeps everything", async () => {
    await using bench = await RemoBench.make();
    bench.sandbox.world.addSet(1, "a", "Object detection");
    bench.sandbox.world.addSet(1, "b", "Object detection");
    assert.deepEqual((await bench.deliver(batch(2))).map(inWords), Array(2).fill("target REMO_SETTINGS"));
    assert.equal(bench.sandbox.counts().accepted, 0);
  });

  for (const [task, expected] of [
    ["Instance segmentation", 4],
    ["Image classification", 0],
  ] as const) {
    it(`sends ${task}`, async () => {
      await using bench = await RemoBench.make({ task });
      const detections = [{ label: "person", score: 0.9, box: { left: 4, top: 2, width: 20, height: 9 } }];
      assert.deepEqual((await bench.deliver(batch(2, { detections }))).map(inWords), ["accepted", "accepted"]);
      const [picture] = bench.sandbox.world.pictures.values();
      assert.ok(picture !== undefined);
      assert.equal(bench.sandbox.labelsOf(picture)[0]?.points.length, expected);
      assert.deepEqual(bench.sandbox.violations(), []);
    });
  }

  it("sends no annotations where nothing is shown, and puts pictures into the folder", async () => {
    await using bench = await RemoBench.make();
    const folder = bench.sandbox.world.addFolder(1, "night");
    await bench.target.close();
    bench.target = bench.makeTarget({ folderId: folder.id });
    assert.deepEqual((await bench.deliver(batch(2, { detections: [] }))).map(inWords), ["accepted", "accepted"]);
    assert.ok([...bench.sandbox.world.pictures.values()].every(({ folderId }) => folderId === folder.id));
    assert.deepEqual(bench.sandbox.links(), []);
    assert.deepEqual(bench.sandbox.violations(), []);
  });
});

describe("remo target without sessions", () => {
  it("judges each file by the texts of the answer", async () => {
    await using bench = await RemoBench.make({ sessions: false });
    bench.sandbox.switches.generation = "before-sessions";
    bench.sandbox.switches.failing.set(nameOf(2), "Failed to upload image");
    const outcomes = await bench.deliver(batch(3));
    assert.deepEqual(outcomes.map(inWords), ["accepted", "record REMO_FILE_FAILED", "accepted"]);
    bench.sandbox.switches.failing.clear();
    // After a lost answer all of them again: the server knows names.
    assert.deepEqual((await bench.deliver(batch(3))).map(inWords), Array(3).fill("accepted"));
    assert.deepEqual(
      bench.holdings().map(([, , kept, labels]) => [kept, labels]),
      Array(3).fill([1, 1]),
    );
    assert.deepEqual(bench.sandbox.violations(), []);
  });

  it("sends the annotations alone when only they were refused", async () => {
    await using bench = await RemoBench.make({ sessions: false });
    bench.sandbox.switches.generation = "before-sessions";
    bench.sandbox.switches.annotationsError = "Annotation format not recognised";
    const outcomes = await bench.deliver(batch(2));
    assert.deepEqual(outcomes.map(inWords), Array(2).fill("target? REMO_SESSION_FAILED"));
    bench.sandbox.switches.annotationsError = undefined;
    assert.deepEqual((await bench.deliver(carriedOn(batch(2), outcomes))).map(inWords), ["accepted", "accepted"]);
    assert.deepEqual(
      bench.holdings().map(([, ...counts]) => counts),
      Array(2).fill([1, 1, 1]),
    );
  });

  it("says so where the server wants sessions, and the other way round", async () => {
    await using bench = await RemoBench.make({ sessions: false });
    assert.deepEqual((await bench.deliver(batch(1))).map(inWords), ["target REMO_SETTINGS"]);
    bench.sandbox.switches.generation = "before-sessions";
    const target = bench.makeTarget({ sessions: true });
    const [delivery] = batch(1);
    assert.ok(delivery !== undefined);
    const outcome = (await target.deliver([delivery], never)).get(delivery.record.id);
    assert.ok(outcome !== undefined);
    assert.equal(inWords(outcome), "target HTTP_404");
    await target.close();
  });
});

describe("remo client", () => {
  it("follows pages by path and by address, and none to another origin", async () => {
    await using bench = await RemoBench.make();
    const { sandbox } = bench;
    for (let count = 0; count < 5; count += 1) sandbox.world.addSet(1, `set ${count}`, "Object detection");
    const link = new HttpLink();
    const client = new RemoClient({ url: bench.url, email, password }, link);
    const images = async (): Promise<number> => {
      let count = 0;
      for await (const image of client.images(1, never, 2)) count += image.name === "" ? 0 : 1;
      return count;
    };
    for (let sequence = 1; sequence <= 5; sequence += 1) {
      const place = { datasetId: 1, folderId: undefined, name: nameOf(sequence) };
      sandbox.world.addPicture(place, { sha256: String(sequence), width: 64, height: 48, sizeBytes: 9 }, undefined);
    }
    for (const form of ["relative", "absolute"] as const) {
      sandbox.switches.nextPages = form;
      assert.equal(await images(), 5);
    }
    sandbox.switches.nextPages = "foreign";
    await assert.rejects(images(), {
      code: "REMO_ANSWER",
      message: /points to http:\/\/127\.0\.0\.1:9, which is not asked/,
    });
    link.close();
  });

  it("tells a zip by its signature, asked for or not", async () => {
    await using bench = await RemoBench.make();
    const set = bench.sandbox.world.addSet(1, "boxes", "Object detection");
    const link = new HttpLink();
    const client = new RemoClient({ url: bench.url, email, password }, link);
    const wish = { annotationFormat: "json", fullPath: false, exportCoordinates: "pixel" } as const;
    assert.equal((await client.sets.export(set.id, wish, never)).isZip, false);
    bench.sandbox.switches.zipAlways = true;
    assert.equal((await client.sets.export(set.id, wish, never)).isZip, true);
    link.close();
  });

  it("gives a picture's file back, to the byte", async () => {
    await using bench = await RemoBench.make();
    await bench.deliver(batch(1));
    const link = new HttpLink();
    const client = new RemoClient({ url: bench.url, email, password }, link);
    for await (const image of client.images(1, never)) {
      assert.deepEqual(await client.imageFile(image, never), sampleJpeg(1));
      await assert.rejects(client.imageFile({ ...image, url: "http://127.0.0.1:9/x.jpg" }, never), {
        code: "REMO_ANSWER",
      });
    }
    link.close();
  });
});
