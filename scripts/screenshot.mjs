// Makes docs/page.png, the picture of the page in the README: what the demonstration shows, with its drawn scenes.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { chromium } from "playwright-core";
import sharp from "sharp";

const size = { width: 1280, height: 900 };
/** For some detections. */
const watchedMs = 30_000;
const boxesMin = 5;

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
  await page
    .locator(".camera .box")
    .nth(boxesMin - 1)
    .waitFor();
  const picture = await page.screenshot();
  await sharp(picture).png({ palette: true, quality: 90 }).toFile("docs/page.png");
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
