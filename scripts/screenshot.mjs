// Makes docs/page.png, the picture of the page in the README: what the demonstration shows, with its drawn scenes.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { chromium } from "playwright-core";

const size = { width: 1280, height: 960 };
/** Some detections, and the first minutes of the charts. */
const watchedMs = Number(process.argv[2] ?? 150_000);

const demo = spawn(process.execPath, ["dist/agent/main.js", "demo", "--interval", "1000", "--seed", "11"], {
  stdio: ["ignore", "pipe", "pipe"],
});
try {
  const url = await addressOf(demo);
  await delay(watchedMs);
  const browser = await chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"],
  });
  const page = await browser.newPage({ viewport: size, colorScheme: "light" });
  await page.goto(url);
  await page.waitForSelector(".camera .picture[data-frame] .box");
  await page.screenshot({ path: "docs/page.png" });
  await browser.close();
} finally {
  demo.kill("SIGINT");
  await once(demo, "exit");
}

async function addressOf(program) {
  let said = "";
  for await (const chunk of program.stderr) {
    said += chunk;
    const [, url] = /Look at it: (\S+)/.exec(said) ?? [];
    if (url !== undefined) {
      program.stderr.resume();
      program.stdout.resume();
      return url;
    }
  }
  throw new Error(`the demonstration ended:\n${said}`);
}
