import { dirname, resolve } from "node:path";
import { inputOf } from "../src/capture/ffmpeg/input.ts";
import type { TlsSettings } from "../src/link/tls.ts";
import type { CameraConfig, FramepostConfig, TargetConfig } from "./config-schema.ts";

/**
 * Paths in a config are relative to its file, not to where somebody happened to stand: a service runs in `/`, and the
 * same config must mean the same data set from everywhere.
 */
export function withAbsolutePaths(config: FramepostConfig, file: string): FramepostConfig {
  const absolute = (path: string) => resolve(dirname(file), path);
  // A bare name is looked for among the installed models.
  const modelPath = (model: string) => (/[/\\]|\.onnx$/.test(model) ? absolute(model) : model);
  const { model, manifest, shadow } = config.detector;
  return {
    ...config,
    dataDir: config.dataDir === undefined ? undefined : absolute(config.dataDir),
    detector: {
      ...config.detector,
      model: model === undefined ? undefined : modelPath(model),
      shadow: shadow === undefined ? undefined : { ...shadow, model: modelPath(shadow.model) },
      manifest: manifest === undefined ? undefined : absolute(manifest),
    },
    cameras: config.cameras.map((camera) => cameraPaths(camera, absolute)),
    targets: config.targets.map((target) => targetPaths(target, absolute)),
    web: webPaths(config.web, absolute),
    metrics:
      config.metrics.textfile === undefined
        ? config.metrics
        : { ...config.metrics, textfile: absolute(config.metrics.textfile) },
  };
}

function cameraPaths(camera: CameraConfig, absolute: (path: string) => string): CameraConfig {
  if (camera.driver === "folder") return { ...camera, path: absolute(camera.path) };
  if (camera.driver === "ffmpeg") {
    const input = inputOf(camera.input).kind === "file" ? absolute(camera.input) : camera.input;
    return { ...camera, input, ...(camera.tls === undefined ? {} : { tls: tlsPaths(camera.tls, absolute) }) };
  }
  return "tls" in camera ? { ...camera, tls: tlsPaths(camera.tls, absolute) } : camera;
}

function targetPaths(target: TargetConfig, absolute: (path: string) => string): TargetConfig {
  if (target.kind === "folder") return { ...target, path: absolute(target.path) };
  const withTls = { ...target, tls: tlsPaths(target.tls, absolute) };
  if (withTls.kind !== "iotown" || withTls.callbacks === undefined) return withTls;
  return { ...withTls, callbacks: { ...withTls.callbacks, tls: tlsPaths(withTls.callbacks.tls, absolute) } };
}

function webPaths(web: FramepostConfig["web"], absolute: (path: string) => string): FramepostConfig["web"] {
  const { tls } = web;
  return tls === undefined ? web : { ...web, tls: { cert: absolute(tls.cert), key: absolute(tls.key) } };
}

function tlsPaths(tls: TlsSettings | undefined, absolute: (path: string) => string): TlsSettings | undefined {
  if (tls === undefined) return undefined;
  const { ca, cert, key } = tls;
  const files = Object.entries({ ca, cert, key }).flatMap(([name, path]) =>
    path === undefined ? [] : [[name, absolute(path)] as const],
  );
  return { ...tls, ...Object.fromEntries(files) };
}
