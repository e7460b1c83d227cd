import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "mocha";
import type { Browser, Page } from "playwright-core";
import { uploadReasons } from "../../src/remote/commands/explain-upload.ts";
import { IotownSandbox } from "../../src/sandbox/iotown/server.ts";
import { AgentProcess, writeConfig } from "../lib/agent.ts";
import { cutOff, needsBrowser, openBrowser, violations } from "../lib/browser.ts";
import { until } from "../lib/poll.ts";
import { unusedPort } from "../lib/servers.ts";
import { tempFolder } from "../lib/temp.ts";

const dayMs = 86_400_000;
const days = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] as const;

/** What is held back is shown with the reason: by the built daemon in a real browser. */
describe("the page of a device that holds records back", function () {
  this.timeout(30_000);
  const cleanups: AsyncDisposable[] = [];
  let browser: Browser;
  let page: Page;
  let url = "";

  before(async function () {
    needsBrowser(this);
    const folder = await tempFolder();
    const sandbox = new IotownSandbox({ token: "a-token" });
    const { url: target } = await sandbox.start();
    cleanups.push(folder, { [Symbol.asyncDispose]: () => sandbox.stop() });
    const port = await unusedPort();
    url = `http://127.0.0.1:${port}/`;
    const cloud = { kind: "iotown", url: target, token: "a-token", includeEmpty: true };
    const inThreeDays = days[new Date(Date.now() + 3 * dayMs).getUTCDay()];
    const windows = [{ days: [inThreeDays], from: "12:00", to: "13:00" }];
    const size = { width: 640, height: 360 };
    const file = await writeConfig(folder.path, {
      web: { listen: `127.0.0.1:${port}` },
      cameras: [{ id: "yard", driver: "simulated", interval: "300ms", ...size, seed: 3, keep: { negativesEvery: 1 } }],
      upload: { bytesPerSecond: "10MB", bytesPerDay: "3KB", bytesPerMonth: "1GB", timeZone: "UTC" },
      targets: [
        { id: "spent", ...cloud },
        // The budget is none of a disk's, and would be named first.
        { id: "night", kind: "folder", path: join(folder.path, "set"), schedule: { timeZone: "UTC", windows } },
        { id: "off", ...cloud, enabled: false },
        { id: "halted", ...cloud },
      ],
    });
    const agent = new AgentProcess(["run", "-c", file, "--data", join(folder.path, "data")]);
    browser = await openBrowser();
    cleanups.push(agent, { [Symbol.asyncDispose]: async () => browser.close() });
    await agent.untilLogged("started", 1, 20_000);
    page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    await page.goto(url);
  });

  after(async () => {
    for (const cleanup of cleanups.reverse()) await cleanup[Symbol.asyncDispose]();
  });

  const says = async (id: string, pattern: RegExp) => {
    const why = page.locator(`#targets > [data-key="${id}"]`);
    await until(async () => pattern.test(await why.innerText()), `${id}: ${pattern.source}`, 15_000);
  };
  const isClear = async () => {
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      assert.deepEqual(await violations(page), [], colorScheme);
    }
    await page.setViewportSize({ width: 400, height: 800 });
    assert.deepEqual(await cutOff(page), []);
    await page.setViewportSize({ width: 1280, height: 900 });
  };

  it("says why, until when, and what is left of the budgets", async () => {
    await page.getByRole("button", { name: "Pause halted" }).click();
    const at = String.raw`\w{3} \d\d:\d\d, in \d+ (d|h|min|s)\.`;
    await says("spent", new RegExp(`budget used up[^]*Held back: what may be sent is used up\\. It begins anew ${at}`));
    await says("night", new RegExp(`Held back outside of its upload hours\\. They begin ${at}`));
    await says("off", /Held back: disabled in the configuration/);
    await says("halted", /Held back: paused until resumed\./);
    const upload = await page.locator("#upload").innerText();
    assert.match(upload, /At most 10 MB of pictures a second\./);
    assert.match(upload, /\d+(\.\d)? kB of 3\.1 kB sent today\n+0 B left, begins anew \w{3} \d\d:\d\d, in /);
    assert.match(upload, /of 1\.1 GB sent this month\n+1\.1 GB left, begins anew /);
    await isClear();
  });

  it("knows every reason, also those of a target that is away", async () => {
    const error = { code: "HTTP_401", message: "the token is not known" };
    const away = { state: "away", error: error.code, message: error.message, errorAtMs: Date.now() };
    const untold = ["stopped", "empty", "sending"];
    const reasons = uploadReasons.filter((reason) => !untold.includes(reason));
    const targets = reasons.map((reason) => ({
      ...{ id: `t-${reason}`, kind: "iotown", state: "up", pending: 1, quarantined: 0, accepted: 0 },
      ...{ held: reason, heldBecause: "Every record that waits was put off.", heldUntilMs: Date.now() + 3 * dayMs },
      ...(reason === "credentials" ? { ...away, needsPerson: true } : reason === "breaker" ? away : {}),
    }));
    const body = `event: targets\ndata: ${JSON.stringify({ targets })}\n\n`;
    await page.route("**/api/events", (route) => route.fulfill({ contentType: "text/event-stream", body }));
    await page.reload();
    for (const reason of reasons.filter((name) => name !== "credentials" && name !== "breaker")) {
      await says(`t-${reason}`, /Held back|Waits/);
    }
    await says("t-breaker", /the token is not known \(HTTP_401\)/);
    await says("t-credentials", /A person has to mend this: the token is not known/);
    await says("t-local-only", /privacy\.localOnly keeps every picture on this device/);
    await says("t-limit", /the limit of bytes a second is used up/);
    await says("t-backoff", /Every record that waits was put off\. Tried again \w{3} /);
    await isClear();
  });
});
