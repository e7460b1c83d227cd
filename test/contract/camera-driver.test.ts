import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { folderDriver } from "../../src/capture/folder/driver.ts";
import { HttpMjpegDriver } from "../../src/capture/http/mjpeg.ts";
import { HttpSnapshotDriver } from "../../src/capture/http/snapshot.ts";
import { SimulatedDriver } from "../../src/capture/simulated/driver.ts";
import { WebcamDriver } from "../../src/capture/webcam/driver.ts";
import { SystemClock } from "../../src/core/clock.ts";
import type { Vision } from "../../src/core/vision-port.ts";
import { CameraWebServer, type CameraWebServerOptions } from "../lib/camera-web-server.ts";
import { makeAuthority, makeCertificate } from "../lib/certificates.ts";
import { basicGate, DigestGate } from "../lib/digest-gate.ts";
import { mjpegAnswer, mjpegFramings } from "../lib/mjpeg-server.ts";
import { jpegOf, shades } from "../lib/pictures.ts";
import { needsProgram } from "../lib/programs.ts";
import { seededRandom } from "../lib/seams.ts";
import { tempFolder } from "../lib/temp.ts";
import { cameraDriverContract, type DriverUnderTest } from "./camera-driver.ts";

const clock = new SystemClock();

/** A folder for the pictures, and an empty one beside it that must stay so. */
async function folders() {
  const temp = await tempFolder();
  const scratch = join(temp.path, "scratch");
  const pictures = join(temp.path, "pictures");
  await mkdir(scratch);
  await mkdir(pictures);
  return { scratch, pictures, dispose: async () => temp[Symbol.asyncDispose]() };
}

async function webcam(device: (pictures: string) => Promise<string>): Promise<DriverUnderTest> {
  const { scratch, pictures, dispose } = await folders();
  const options = { width: 320, height: 240, quality: 80, skip: 0, delaySeconds: 0, frames: 1, rotation: 0 } as const;
  const driver = new WebcamDriver({ ...options, device: await device(pictures) }, { clock, scratchPlaces: [scratch] });
  return { driver, scratch, dispose, changes: false, finite: false };
}

/** fswebcam's first start, from a cold disk beside three other files' tests, once took more than the usual five seconds. */
const fswebcamLimitMs = 10_000;

cameraDriverContract(
  "webcam, fswebcam's test picture",
  async (context) => {
    needsProgram(context, "fswebcam", "fswebcam");
    return webcam(async () => "TEST:");
  },
  fswebcamLimitMs,
);

cameraDriverContract(
  "webcam, fswebcam reading a file",
  async (context) => {
    needsProgram(context, "fswebcam", "fswebcam");
    return webcam(async (pictures) => {
      await writeFile(join(pictures, "source.jpg"), await jpegOf(90, 320, 240));
      return `FILE:${pictures}/source.jpg`;
    });
  },
  fswebcamLimitMs,
);

for (const mode of ["once", "loop"] as const) {
  cameraDriverContract(`folder, ${mode}`, async () => {
    const { scratch, pictures, dispose } = await folders();
    for (let shade = 0; shade < 12; shade += 1) {
      await writeFile(join(pictures, `${shade}.jpg`), await jpegOf(shade * 20));
    }
    const driver = folderDriver({ path: pictures, mode }, { clock });
    return { driver, scratch, dispose, changes: true, finite: mode === "once" };
  });
}

cameraDriverContract("folder, watch", async () => {
  const { scratch, pictures, dispose } = await folders();
  const driver = folderDriver({ path: pictures, mode: "watch" }, { clock, limits: { watchSettleMs: 100 } });
  let fed = 0;
  const feed = async () => {
    fed += 1;
    await writeFile(join(pictures, "upload.part"), await jpegOf(fed * 20));
    await rename(join(pictures, "upload.part"), join(pictures, `${fed}.jpg`));
  };
  return { driver, scratch, dispose, feed, changes: true, finite: false };
});

cameraDriverContract("simulated", async () => {
  const { scratch, dispose } = await folders();
  const render: Vision["render"] = async (svg, { quality }) => {
    const { data, info } = await sharp(Buffer.from(svg)).jpeg({ quality }).toBuffer({ resolveWithObject: true });
    return { jpeg: data, width: info.width, height: info.height };
  };
  const driver = new SimulatedDriver({ seed: 5, width: 320, height: 240, quality: 80 }, render);
  return { driver, scratch, dispose, changes: true, finite: false };
});

const login = { username: "viewer", password: 'p"ss, wörd' } as const;
const seams = { clock, random: seededRandom(3) };

async function webServer(
  driver: "snapshot" | "mjpeg",
  answer: ConstructorParameters<typeof CameraWebServer>[0],
  options: CameraWebServerOptions & { readonly ca?: string; readonly cleanup?: () => Promise<void> } = {},
): Promise<DriverUnderTest> {
  const { scratch, dispose } = await folders();
  const server = await new CameraWebServer(answer, options).start();
  const tls = options.ca === undefined ? {} : { tls: { ca: options.ca, insecureSkipVerify: false } };
  const cameraOptions = { url: server.url("/camera?channel=1"), ...login, ...tls, timeoutMs: 3_000 };
  const Driver = driver === "snapshot" ? HttpSnapshotDriver : HttpMjpegDriver;
  return {
    driver: new Driver(cameraOptions, seams),
    scratch,
    changes: true,
    finite: false,
    async dispose() {
      await server.stop();
      await options.cleanup?.();
      await dispose();
    },
  };
}

async function snapshotAnswer(): Promise<ConstructorParameters<typeof CameraWebServer>[0]> {
  const pictures = await shades();
  let sent = 0;
  return (_, response) => {
    sent += 1;
    response.writeHead(200, { "Content-Type": "image/jpeg" }).end(pictures[sent % pictures.length]);
  };
}

cameraDriverContract("http-snapshot, Basic", async () =>
  webServer("snapshot", await snapshotAnswer(), { gate: basicGate(login.username, login.password) }),
);

for (const algorithm of ["MD5", "SHA-256"] as const) {
  cameraDriverContract(`http-snapshot, Digest ${algorithm}`, async () =>
    webServer("snapshot", await snapshotAnswer(), { gate: new DigestGate({ ...login, algorithm }).pass }),
  );
}

cameraDriverContract("http-snapshot, https", async (context) => {
  needsProgram(context, "openssl", "openssl");
  const temp = await tempFolder();
  const authority = await makeAuthority(temp.path, "authority");
  const made = await makeCertificate(temp.path, "camera", authority, { subjectAltName: "IP:127.0.0.1" });
  const tls = { cert: await readFile(made.cert), key: await readFile(made.key) };
  const cleanup = async () => temp[Symbol.asyncDispose]();
  return webServer("snapshot", await snapshotAnswer(), { tls, ca: authority.cert, cleanup });
});

for (const framing of mjpegFramings) {
  cameraDriverContract(`http-mjpeg, ${framing}`, async () =>
    webServer("mjpeg", mjpegAnswer({ pictures: await shades(), framing }), { gate: new DigestGate(login).pass }),
  );
}
