import axe from "axe-core";
import type { Context } from "mocha";
import { type Browser, chromium, type Page } from "playwright-core";
import { needsProgram } from "./programs.ts";

/** Debian's Chromium without a screen, and what a test asks of a page that it shows. */

const program = "/usr/bin/chromium";

const switches = [
  ...["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--no-first-run"],
  ...["--disable-background-networking", "--disable-component-update", "--disable-extensions", "--disable-sync"],
];

export function needsBrowser(context: Context): void {
  needsProgram(context, "chromium", "chromium");
}

export async function openBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: program, args: switches });
}

/** Bytes of what the page has got by now, by path; headers are not counted. */
export async function countBytes(page: Page): Promise<ReadonlyMap<string, number>> {
  const network = await page.context().newCDPSession(page);
  const paths = new Map<string, string>();
  const bytes = new Map<string, number>();
  network.on("Network.requestWillBeSent", ({ requestId, request }) => {
    paths.set(requestId, new URL(request.url).pathname);
  });
  network.on("Network.dataReceived", ({ requestId, dataLength }) => {
    const path = paths.get(requestId) ?? "unknown";
    bytes.set(path, (bytes.get(path) ?? 0) + dataLength);
  });
  await network.send("Network.enable");
  return bytes;
}

/** `rule: element` of everything that axe finds wrong. */
export async function violations(page: Page): Promise<readonly string[]> {
  // As long as a document lasts, once is enough.
  if ((await page.evaluate("typeof axe")) === "undefined") await page.evaluate(axe.source);
  const found: unknown = await page.evaluate(
    "axe.run().then(({ violations }) => violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 160)}`)))",
  );
  return found as readonly string[];
}

/** What reaches beyond the window, or has text that its own borders cut off. */
export async function cutOff(page: Page): Promise<readonly string[]> {
  const found: unknown = await page.evaluate(`(() => {
    const wide = document.documentElement.scrollWidth > innerWidth ? ["the page scrolls sideways"] : [];
    const all = [...document.querySelectorAll("body *")].filter((node) => node.checkVisibility() && !node.closest("svg, .skip, .unseen"));
    const beyond = all.filter((node) => {
      const { left, right } = node.getBoundingClientRect();
      return left < -0.5 || right > innerWidth + 0.5 || (getComputedStyle(node).overflowX !== "visible" && node.scrollWidth > node.clientWidth + 1);
    });
    return [...wide, ...beyond.map((node) => node.outerHTML.slice(0, 160))];
  })()`);
  return found as readonly string[];
}
