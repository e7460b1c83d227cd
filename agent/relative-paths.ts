import { dirname, resolve } from "node:path";
import { inputOf } from "../src/capture/ffmpeg/input.ts";
import type { CameraConfig, FramepostConfig, TargetConfig } from "./config-schema.ts";

/**
 * Paths in a config are relative to its file, not to where somebody happened to stand: a service runs in `/`, and the
 * same config must mean the same data set from everywhere.
 */
export function withAbsolutePaths(config: FramepostConfig, file: string): FramepostConfig {
  const absolute = (path: string) => resolve(dirname(file), path);
  const { model, manifest } = config.detector;
  return {
    ...config,
    dataDir: config.dataDir === undefined ? undefined : absolute(config.dataDir),
    detector: {
      ...config.detector,
      // A bare name is looked for among the installed models.
      model: /[/\\]|\.onnx$/.test(model) ? absolute(model) : model,
      manifest: manifest === undefined ? undefined : absolute(manifest),
    },
    cameras: config.cameras.map((camera) => cameraPaths(camera, absolute)),
    targets: config.targets.map((target) => targetPaths(target, absolute)),
  };
}

function cameraPaths(camera: CameraConfig, absolute: (path: string) => string): CameraConfig {
  switch (camera.driver) {
    case "folder":
      return { ...camera, path: absolute(camera.path) };
    case "ffmpeg": {
      const input = inputOf(camera.input).kind === "file" ? absolute(camera.input) : camera.input;
      if (camera.tls?.ca === undefined) return { ...camera, input };
      return { ...camera, input, tls: { ...camera.tls, ca: absolute(camera.tls.ca) } };
    }
    default:
      return camera;
  }
}

function targetPaths(target: TargetConfig, absolute: (path: string) => string): TargetConfig {
  if (target.kind === "folder") return { ...target, path: absolute(target.path) };
  if (target.tls === undefined) return target;
  const { ca, cert, key } = target.tls;
  const files = Object.entries({ ca, cert, key }).flatMap(([name, path]) =>
    path === undefined ? [] : [[name, absolute(path)] as const],
  );
  return { ...target, tls: { ...target.tls, ...Object.fromEntries(files) } };
}
