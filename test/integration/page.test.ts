import assert from "node:assert/strict";
import { after, before, describe, it } from "mocha";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import type { Detection } from "../../src/core/types.ts";
import { iotownFaults } from "../../src/sandbox/iotown/faults.ts";
import { IotownSandbox } from "../../src/sandbox/iotown/server.ts";
import { AgentProcess, agentOutput, writeConfig } from "../lib/agent.ts";
import { countBytes, cutOff, needsBrowser, openBrowser, violations } from "../lib/browser.ts";
import { until } from "../lib/poll.ts";
import { findings, planted } from "../lib/secret-search.ts";
import { unusedPort } from "../lib/servers.ts";
import { tempFolder } from "../lib/temp.ts";
import { never, tinyModel, tinyModelsFolder, visionProcess } from "../lib/vision.ts";

interface DrawnBox {
  readonly label: string;
  readonly score: number;
  /** In pixels of the picture. */
  readonly place: readonly [number, number, number, number];
  /** Its corners on the screen, and where the same pixels of the picture are. */
  readonly screen: readonly number[];
  readonly picture: readonly number[];
}

const asideMin = 4;

/** The built daemon with a simulated camera and the model that ships, and its page in a real browser. */
describe("the page", function () {
  this.timeout(30_000);
  const token = planted("token of the target");
  const cleanups: AsyncDisposable[] = [];
  let sandbox: IotownSandbox;
  let agent: AgentProcess;
  let browser: Browser;
  let page: Page;
  let url = "";
  const complaints: string[] = [];

  before(async function () {
    needsBrowser(this);
    const folder = await tempFolder();
    cleanups.push(folder);
    sandbox = new IotownSandbox({ token: token.text });
    sandbox.fault(iotownFaults["bad-request-400"], asideMin, /image/);
    const { url: target } = await sandbox.start();
    const port = await unusedPort();
    url = `http://127.0.0.1:${port}/`;
    const file = await writeConfig(folder.path, {
      device: { name: "gate-1" },
      web: { listen: `127.0.0.1:${port}` },
      cameras: [{ id: "yard", driver: "simulated", interval: "300ms", width: 640, height: 360, seed: 3 }],
      targets: [{ id: "own", kind: "iotown", url: target, token: token.text }],
    });
    const data = join(folder.path, "data");
    const own = ["-c", file, "--data", data];
    await agentOutput("models", "add", join(tinyModelsFolder, "tiny-yolo8.onnx"), "--as", "wasps@1", ...own);
    agent = new AgentProcess(["run", ...own]);
    browser = await openBrowser();
    cleanups.push(agent, { [Symbol.asyncDispose]: async () => browser.close() });
    await agent.untilLogged("started", 1, 20_000);
    page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(error.message));
  });

  after(async () => {
    for (const cleanup of cleanups.reverse()) await cleanup[Symbol.asyncDispose]();
    await sandbox.stop();
  });

  const text = async (selector: string) => (await page.locator(selector).textContent()) ?? "";
  const noticeSays = async (pattern: RegExp) => {
    await until(async () => pattern.test(await text("#notice-text")), `a notice like ${pattern.source}`, 20_000);
  };

  it("shows the first picture within a second, and costs less than 100 KB without pictures", async () => {
    const bytes = await countBytes(page);
    await page.addInitScript(`globalThis.firstPictureMs = undefined; new MutationObserver((_, observer) => {
      if (document.querySelector(".picture[data-frame]") === null) return;
      globalThis.firstPictureMs = performance.now();
      observer.disconnect();
    }).observe(document, { subtree: true, attributes: true, attributeFilter: ["data-frame"] })`);
    let firstPictureMs = Infinity;
    // Other tests may hold both cores for a moment.
    for (let tries = 1; tries <= 3 && firstPictureMs > 1_000; tries += 1) {
      await page.goto(url);
      await until(() => page.evaluate("firstPictureMs !== undefined"), "the first picture", 10_000);
      firstPictureMs = Number(await page.evaluate("firstPictureMs"));
      if (tries > 1) continue;
      const isPicture = (path: string) => /^\/api\/(frames|thumbnails)\//.test(path);
      const sum = [...bytes].reduce((total, [path, size]) => (isPicture(path) ? total : total + size), 0);
      assert.ok(sum > 20_000, `only ${sum} bytes were counted`);
      assert.ok(sum <= 100_000, `${sum} bytes`);
    }
    assert.ok(firstPictureMs <= 1_000, `${firstPictureMs} ms`);
    assert.deepEqual(complaints, []);
  });

  it("draws the detections of the very frame that it shows, where they are", async () => {
    await using vision = visionProcess({ model: await tinyModel() });
    await vision.start(never);
    let compared = 0;
    for (let rounds = 1; compared === 0; rounds += 1) {
      assert.ok(rounds <= 5, "no picture with an object in five");
      await page.getByRole("button", { name: "Pause camera yard" }).click();
      await page.getByRole("button", { name: "Resume camera yard" }).waitFor();
      // One that was on its way when the pause came.
      await page.waitForTimeout(1_200);
      const { boxes, jpeg } = await shownNow(page);
      const { detections, model } = await vision.detect(Buffer.from(jpeg, "base64"), { exact: false }, never);
      const expected = detections.filter(({ score }) => score >= model.threshold);
      assert.equal(boxes.length, expected.length);
      for (const box of boxes) compared += isWherever(box, expected) ? 1 : 0;
      assert.equal(compared, boxes.length);
      await page.getByRole("button", { name: "Resume camera yard" }).click();
      await page.getByRole("button", { name: "Pause camera yard" }).waitFor();
    }
  });

  it("is clear to everybody: no violation that axe knows, in light and dark", async () => {
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      assert.deepEqual(await violations(page), [], colorScheme);
    }
    await page.emulateMedia({ colorScheme: "light" });
  });

  it("cuts nothing off on a telephone, 400 pixels wide", async () => {
    await page.setViewportSize({ width: 400, height: 800 });
    await page.locator("#waiting-show").click();
    await page.locator("#config summary").click();
    await until(async () => (await text("#config-text")).length > 100, "the config");
    assert.deepEqual(await cutOff(page), []);
    assert.deepEqual(await violations(page), []);
    await page.setViewportSize({ width: 1280, height: 900 });
  });

  it("can be used with the keyboard alone", async () => {
    const pressable = "a[href], button, input, select, summary, [tabindex='0']";
    await page.evaluate("document.activeElement.blur(), window.scrollTo(0, 0)");
    const count = Number(
      await page.evaluate(
        `[...document.querySelectorAll("${pressable}")].filter((node) => node.checkVisibility() && !node.disabled).map((node) => (node.dataset.wanted = "")).length`,
      ),
    );
    assert.ok(count >= 15, `only ${count} can be pressed`);
    const unseen: string[] = [];
    // Lists change while it walks: a few more than there are.
    for (let presses = 0; presses < count + 20; presses += 1) {
      await page.keyboard.press("Tab");
      const missed: unknown = await page.evaluate(`(() => {
        const node = document.activeElement;
        delete node.dataset.wanted;
        return node === document.body || getComputedStyle(node).outlineStyle !== "none" ? "" : node.outerHTML.slice(0, 120);
      })()`);
      if (missed !== "") unseen.push(String(missed));
    }
    assert.deepEqual(unseen, [], "the focus cannot be seen");
    const left: unknown = await page.evaluate(
      "[...document.querySelectorAll('[data-wanted]')].filter((node) => node.isConnected && node.checkVisibility()).map((node) => node.outerHTML.slice(0, 120))",
    );
    assert.deepEqual(left, [], "not reached by Tab");
  });

  it("retries and drops what was set aside, asking before it drops", async () => {
    const rows = page.locator("#quarantine > li");
    await until(async () => (await rows.count()) === asideMin, `${asideMin} records set aside`, 10_000);
    assert.match(await rows.first().innerText(), /own: HTTP_400/);
    await rows.first().getByRole("button", { name: "Retry record" }).click();
    await noticeSays(/^1 delivery is owed again$/);
    await until(async () => (await rows.count()) === asideMin - 1, "one less");

    const drop = rows.first().getByRole("button", { name: "Drop record" });
    await drop.click();
    await page.getByRole("button", { name: "Keep", exact: true }).click();
    assert.equal(await rows.count(), asideMin - 1);
    await drop.click();
    assert.match(await text("#ask-text"), /^1 delivery will never be made/);
    await page.locator("#ask-yes").click();
    await noticeSays(/^1 delivery given up$/);
    await until(async () => (await rows.count()) === asideMin - 2, "one less");

    await page.getByRole("button", { name: "Retry all" }).click();
    await noticeSays(/^2 deliveries are owed again$/);
    await page.locator("#quarantine-empty").waitFor();
    const effects = agent.logged("remote.effect").map(({ command, key, state }) => [command, key, state]);
    assert.deepEqual(effects.slice(-3), [
      ["quarantine.requeue", "local page", "done"],
      ["quarantine.purge", "local page", "done"],
      ["quarantine.requeue", "local page", "done"],
    ]);
  });

  it("changes the model, and goes back", async () => {
    await page.getByRole("button", { name: "Use the model wasps@1" }).click();
    await noticeSays(/^In use now: wasps@1/);
    await until(async () => /^(wasps|tiny-yolo8)/.test(await text("#model-facts")), "the new model is shown", 5_000);
    await page.getByRole("button", { name: "Back to the model before" }).click();
    await noticeSays(/^In use now: tiny-end-to-end/);
    await until(async () => (await text("#model-facts")).startsWith("tiny-end-to-end"), "the old model is shown");
  });

  it("changes the threshold, with everything started anew behind it", async () => {
    const before = agent.logged("started").length;
    await page.locator("#threshold").focus();
    await page.keyboard.press("End");
    await noticeSays(/^Threshold 0.95: done$/);
    assert.equal(agent.logged("started").length, before + 1);
    await until(async () => (await text("#state")) === "all well", "connected again", 10_000);
    const other = await browser.newPage();
    await other.goto(url);
    await until(async () => (await other.locator("#threshold-value").textContent()) === "0.95", "0.95 in force", 5_000);
    await other.close();
    const scores: unknown = await page.evaluate(
      "[...document.querySelectorAll('.camera .box')].map((box) => Number(box.dataset.score))",
    );
    assert.ok((scores as readonly number[]).every((score) => score >= 0.95));
  });

  it("says why something did not work", async () => {
    await sandbox.stop();
    await page.getByRole("button", { name: "Test own" }).click();
    await noticeSays(/^Testing \(own\): .*refused/);
    assert.equal(await page.locator("#notice").getAttribute("data-kind"), "bad");
  });

  it("holds no secret, and offers no command that it does not need", async () => {
    const answers = new Map<string, Buffer>();
    const ask = async (name: string, body: object) => {
      const headers = { "content-type": "application/json" };
      const response = await fetch(`${url}api/commands/${name}`, {
        method: "POST",
        headers,
        body: JSON.stringify(body),
      });
      answers.set(name, Buffer.from(await response.arrayBuffer()));
      return response.status;
    };
    for (const name of ["config.get", "target.list", "explain.upload", "queue.list", "camera.list", "model.list"]) {
      assert.equal(await ask(name, {}), 200, name);
    }
    assert.equal(await ask("detect.set", { id: "1", args: { threshold: 2 } }), 400);
    assert.equal(await ask("quarantine.requeue", { args: {} }), 400);
    for (const name of ["config.patch", "restart", "support.bundle", "constructor"])
      assert.equal(await ask(name, {}), 404);
    const leaving = new AbortController();
    const events = await fetch(`${url}api/events`, { signal: leaving.signal });
    let told = "";
    for await (const chunk of (events.body ?? []) as AsyncIterable<Uint8Array>) {
      told += Buffer.from(chunk).toString();
      if (told.includes("event: tick")) break;
    }
    leaving.abort();
    answers.set("events", Buffer.from(told));
    answers.set("document", Buffer.from(await page.content()));
    assert.ok(answers.get("config.get")?.includes("***"));
    assert.deepEqual(findings(answers, [token]), []);
  });

  it("says that the connection is lost", async () => {
    await agent.stop();
    await until(async () => /connection lost/.test(await text("#state")), "lost");
    const unexpected = complaints.filter((complaint) => !/net::ERR_|status of (400|500|503)/.test(complaint));
    assert.deepEqual(unexpected, []);
  });
});

/** The boxes in the document, and the picture under them. */
async function shownNow(page: Page): Promise<{ readonly boxes: readonly DrawnBox[]; readonly jpeg: string }> {
  const shown: unknown = await page.evaluate(`(async () => {
    const picture = document.querySelector(".camera .picture img");
    const bytes = new Uint8Array(await (await fetch(picture.src)).arrayBuffer());
    const { left, top, width, height } = picture.getBoundingClientRect();
    const onPicture = (x, y) => [left + (x * width) / picture.naturalWidth, top + (y * height) / picture.naturalHeight];
    const boxes = [...document.querySelectorAll(".camera rect.box")].map((box) => {
      const [x, y, w, h] = ["x", "y", "width", "height"].map((name) => Number(box.getAttribute(name)));
      const matrix = box.getScreenCTM();
      const onScreen = (px, py) => { const point = new DOMPoint(px, py).matrixTransform(matrix); return [point.x, point.y]; };
      return {
        label: box.dataset.label, score: Number(box.dataset.score), place: [x, y, w, h],
        screen: [...onScreen(x, y), ...onScreen(x + w, y + h)], picture: [...onPicture(x, y), ...onPicture(x + w, y + h)],
      };
    });
    return { boxes, jpeg: btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join("")) };
  })()`);
  return shown as { readonly boxes: readonly DrawnBox[]; readonly jpeg: string };
}

function isWherever({ label, score, place, screen, picture }: DrawnBox, expected: readonly Detection[]): boolean {
  const apart = (one: readonly number[], other: readonly number[]) =>
    Math.max(...one.map((value, at) => Math.abs(value - (other[at] ?? Infinity))));
  assert.ok(apart(screen, picture) <= 1, `on the screen ${screen.join(" ")}, in the picture ${picture.join(" ")}`);
  return expected.some(({ label: name, score: sure, box }) => {
    const { left, top, width, height } = box;
    return name === label && Math.abs(sure - score) < 0.01 && apart(place, [left, top, width, height]) <= 1;
  });
}
