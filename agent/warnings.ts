import { ffmpegWarnings } from "../src/capture/ffmpeg/config.ts";
import { httpCameraWarnings } from "../src/capture/http/config.ts";
import { isPrivateHost } from "../src/link/hosts.ts";
import { customVisionWarnings } from "../src/targets/customvision/config.ts";
import { iotownWarnings } from "../src/targets/iotown/config.ts";
import { layernextWarnings } from "../src/targets/layernext/config.ts";
import { onestepaiWarnings } from "../src/targets/onestepai/config.ts";
import { remoWarnings } from "../src/targets/remo/config.ts";
import { isLoopback, listenAddressOf } from "../src/web/listen-address.ts";
import type { CameraConfig, FramepostConfig, TargetConfig } from "./config-schema.ts";

/** What an operator should know of the detector although it is allowed. */
export function detectorWarnings({ model, manifest, updates }: FramepostConfig["detector"]): readonly string[] {
  if (updates === undefined || (model === undefined && manifest === undefined)) return [];
  const line = model === undefined ? "manifest" : "model";
  return [`detector.updates has no effect while detector.${line} names what is in use; take one of the two out`];
}

/** What an operator should know of a camera although it is allowed. Holds no secret. */
export function cameraWarnings(camera: CameraConfig): readonly string[] {
  switch (camera.driver) {
    case "http-snapshot":
    case "http-mjpeg":
      return httpCameraWarnings(camera);
    case "ffmpeg":
      return ffmpegWarnings(camera);
    case "webcam":
    case "exec":
    case "folder":
    case "rpicam":
    case "simulated":
      return [];
  }
}

/** What an operator should know of a target although it is allowed. Holds no secret. */
export function targetWarnings(target: TargetConfig): readonly string[] {
  switch (target.kind) {
    case "iotown":
      return iotownWarnings(target);
    case "layernext":
      return layernextWarnings(target);
    case "customvision":
      return customVisionWarnings(target);
    case "mqtt":
      return mqttWarnings(target);
    case "onestepai":
      return onestepaiWarnings(target);
    case "remo":
      return remoWarnings(target);
    case "folder":
      return [];
  }
}

/** What an operator should know of how this device is steered although it is allowed. Holds no secret. */
export function remoteWarnings(remote: FramepostConfig["remote"]): readonly string[] {
  if (remote === undefined) return [];
  const { url, username, tls, keys, unsigned } = remote;
  const { protocol, hostname } = new URL(url);
  const what = remote.password === undefined ? "all commands go" : "the password and all commands go";
  const isOpen = protocol === "mqtt:" && !isPrivateHost(hostname);
  const isAnonymous = remote.allowAnonymous && username === undefined && tls?.cert === undefined;
  return [
    ...(isOpen ? [`remote: ${what} to ${hostname} unencrypted; use mqtts if the broker has it`] : []),
    ...(tls?.insecureSkipVerify === true
      ? ["remote: the broker's certificate is not checked (tls.insecureSkipVerify); name its CA instead"]
      : []),
    ...(isAnonymous && keys.length === 0
      ? ["remote: whoever reaches this broker commands this device; give it an account there, or set keys"]
      : []),
    ...(unsigned?.length === 0 && keys.length === 0
      ? ["remote: every request is refused, as unsigned is empty and there are no keys; set keys, or take unsigned out"]
      : []),
  ];
}

/** What an operator should know of who can see the page although it is allowed. */
export function webWarnings({ enabled, listen, tls }: FramepostConfig["web"]): readonly string[] {
  const address = listenAddressOf(listen);
  if (!enabled || tls !== undefined || address === undefined || isLoopback(address.host)) return [];
  return [`web: token and pictures cross the network unencrypted; set web.tls, or listen on 127.0.0.1 behind a proxy`];
}

function mqttWarnings({ id, url, password, tls, qos }: Extract<TargetConfig, { kind: "mqtt" }>): readonly string[] {
  const { protocol, hostname } = new URL(url);
  const what = password === undefined ? "the pictures go" : "the password and the pictures go";
  const open = protocol === "mqtt:" && !isPrivateHost(hostname);
  return [
    ...(open ? [`${id}: ${what} to ${hostname} unencrypted; use mqtts if the broker has it`] : []),
    ...(tls?.insecureSkipVerify === true
      ? [`${id}: the broker's certificate is not checked (tls.insecureSkipVerify); name its CA instead`]
      : []),
    ...(qos === 0 ? [`${id}: records are lost without a trace; use qos 1`] : []),
  ];
}
