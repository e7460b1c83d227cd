import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { afterEach, describe, it } from "mocha";
import { AgentError } from "../../src/core/errors.ts";
import { scanJpeg } from "../../src/core/jpeg.ts";
import type { CameraDriver, Shot } from "../../src/core/ports.ts";
import { ownChildren, ownDescriptors } from "../lib/own-processes.ts";
import { until } from "../lib/poll.ts";

export interface DriverUnderTest {
  readonly driver: CameraDriver;
  /** A folder that must hold no file of the driver's own after `stop`. */
  readonly scratch: string;
  /** Makes the next picture available, where pictures come from outside. */
  readonly feed?: () => Promise<void>;
  /** True where two shots show different pictures. */
  readonly changes: boolean;
  readonly finite: boolean;
  /** Of a continuous source: makes it end by itself, as a camera that is unplugged. */
  readonly breakSource?: () => Promise<void>;
  dispose(): Promise<void>;
}

/** What every camera driver promises, whatever it reads from: the text is in `CameraDriver`. */
export function cameraDriverContract(
  name: string,
  make: (context: Mocha.Context) => Promise<DriverUnderTest>,
  shotLimitMs = 5_000,
): void {
  describe(`camera driver contract: ${name}`, () => {
    const made: DriverUnderTest[] = [];
    const within = () => AbortSignal.timeout(shotLimitMs);

    async function started(context: Mocha.Context): Promise<DriverUnderTest> {
      const subject = await make(context);
      made.push(subject);
      await subject.driver.start(within());
      return subject;
    }

    async function picture(subject: DriverUnderTest): Promise<Buffer> {
      await subject.feed?.();
      const shot = await subject.driver.shot(within());
      assert.equal(shot.kind, "image");
      return shot.jpeg;
    }

    afterEach(async () => {
      for (const subject of made.splice(0)) {
        await subject.driver.stop();
        await subject.dispose();
      }
    });

    // Some drivers start a real program for each test: what needs no start of its own shares one.
    it("gives complete pictures, one after the other, and overwrites none that it has handed over", async function () {
      const subject = await started(this);
      const first = await picture(subject);
      const before = Buffer.from(first);
      const pictures = [first, await picture(subject), await picture(subject)];
      for (const jpeg of pictures) assert.equal(scanJpeg(jpeg).kind, "complete");
      if (subject.changes) assert.equal(new Set(pictures.map((jpeg) => jpeg.toString("base64"))).size, 3);
      assert.deepEqual(first, before);
    });

    it("stops twice, before its start and after it, and refuses a start and a shot that are aborted already", async function () {
      const subject = await make(this);
      made.push(subject);
      await subject.driver.stop();
      await assert.rejects(subject.driver.start(AbortSignal.abort()));
      await subject.driver.start(within());
      await assert.rejects(subject.driver.shot(AbortSignal.abort()));
      assert.equal(scanJpeg(await picture(subject)).kind, "complete");
      await subject.driver.stop();
      await subject.driver.stop();
      const late: unknown = await subject.driver.shot(AbortSignal.timeout(200)).catch((error: unknown) => error);
      if (late instanceof AgentError) assert.match(late.code, /^CAMERA_/);
    });

    it("ends an aborted shot soon, and shoots again after a restart", async function () {
      const subject = await started(this);
      const controller = new AbortController();
      const shot = subject.driver.shot(controller.signal).then(
        (answer: Shot) => answer.kind,
        (error: unknown) => error,
      );
      setImmediate(() => controller.abort());
      const begunMs = performance.now();
      const answer = await shot;
      assert.ok(performance.now() - begunMs < 3_000);
      // A shot that was quicker than the abort may answer.
      assert.ok(answer instanceof Error || answer === "image", String(answer));
      await subject.driver.stop();
      await subject.driver.start(within());
      assert.equal(scanJpeg(await picture(subject)).kind, "complete");
    });

    it("starts again after it was stopped, and leaves no process, descriptor or file behind", async function () {
      const subject = await make(this);
      made.push(subject);
      const before = { children: await ownChildren(), descriptors: await ownDescriptors() };
      for (let round = 0; round < 2; round += 1) {
        await subject.driver.start(within());
        assert.equal(scanJpeg(await picture(subject)).kind, "complete");
        const pending = subject.driver.shot(within()).catch(() => undefined);
        await subject.driver.stop();
        await pending;
      }
      const same = async () => String(await ownChildren()) === String(before.children);
      await until(same, "every process to be gone");
      await until(async () => (await ownDescriptors()) <= before.descriptors, "every descriptor to be closed");
      assert.deepEqual(await readdir(subject.scratch), []);
    });

    it("counts the frames of a continuous source that nobody asks for, and says at once when it breaks", async function () {
      const subject = await started(this);
      const { stream } = subject.driver;
      if (stream === undefined) return;
      await picture(subject);
      const before = stream.framesSeen();
      await until(() => stream.framesSeen() > before + 1, "frames that nobody asked for", shotLimitMs);
      const broken: AgentError[] = [];
      stream.onBroken((error) => broken.push(error));
      stream.onBroken(() => assert.fail("it was told that nobody listens any more"))();
      const pending = subject.driver.shot(within()).then(
        () => undefined,
        (error: unknown) => error,
      );
      if (subject.breakSource === undefined) await subject.driver.stop();
      else await subject.breakSource();
      await until(() => broken.length === 1, "the stream to break", shotLimitMs);
      assert.match(broken[0]?.code ?? "", /^CAMERA_/);
      // A frame that was under way may have served the shot; the next one fails with the same words.
      const failure = (await pending) ?? (await subject.driver.shot(within()).catch((error: unknown) => error));
      assert.equal(failure, broken[0]);
      const late: AgentError[] = [];
      stream.onBroken((error) => late.push(error));
      assert.deepEqual(late, broken, "who asks later is told at once");
      await subject.driver.stop();
      await subject.driver.start(within());
      assert.equal(scanJpeg(await picture(subject)).kind, "complete");
    });

    it("says `end` when a finite source is used up", async function () {
      const subject = await make(this);
      made.push(subject);
      if (!subject.finite) return;
      await subject.driver.start(within());
      let shot = await subject.driver.shot(within());
      for (let taken = 0; shot.kind === "image" && taken < 100; taken += 1) shot = await subject.driver.shot(within());
      assert.equal(shot.kind, "end");
    });
  });
}
