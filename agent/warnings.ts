import { ffmpegWarnings } from "../src/capture/ffmpeg/config.ts";
import { httpCameraWarnings } from "../src/capture/http/config.ts";
import { isPrivateHost } from "../src/link/hosts.ts";
import { customVisionWarnings } from "../src/targets/customvision/config.ts";
import { iotownWarnings } from "../src/targets/iotown/config.ts";
import { layernextWarnings } from "../src/targets/layernext/config.ts";
import { onestepaiWarnings } from "../src/targets/onestepai/config.ts";
import { remoWarnings } from "../src/targets/remo/config.ts";
import { isLoopback, listenAddressOf } from "../src/web/listen-address.ts";
import { isElsewhere } from "./local-only.ts";
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

/** What an operator should know of what is hidden, and of what is off because nothing may leave. Holds no secret. */
export function privacyWarnings({ cameras, targets, remote, privacy, detector }: FramepostConfig): readonly string[] {
  const masked = cameras.filter((camera) => camera.privacy?.mask !== undefined || camera.privacy?.blur !== undefined);
  const blurred = cameras.filter((camera) => camera.privacy?.blur !== undefined);
  const denied = blurred.flatMap(({ id, privacy: hidden }) => {
    const labels = hidden?.blur?.labels.filter((label) => !mayBeFound(label, detector)) ?? [];
    return labels.length === 0
      ? []
      : [
          `${id}: nothing is kept, as the detector's own rules forget ${labels.join(", ")}; take it out of detector.deny`,
        ];
  });
  const off = targets.filter(isElsewhere).map(({ id }) => id);
  const isKept = targets.some((target) => !isElsewhere(target));
  const pictures = remote?.homeAssistant.pictures === true ? ", and Home Assistant gets no pictures" : "";
  return [
    ...denied,
    ...(masked.length > 0 && privacy.remoteChanges
      ? ["privacy.remoteChanges: whoever may command this device as admin can uncover what is hidden; take it out"]
      : []),
    ...(privacy.localOnly && off.length + pictures.length > 0
      ? [`privacy.localOnly: off are ${off.join(", ") || "no targets"}${pictures}; take it out to send again`]
      : []),
    ...(privacy.localOnly && !isKept
      ? ["privacy.localOnly: no folder target is left, so nothing is kept; add one to targets"]
      : []),
  ];
}

function mayBeFound(label: string, { allow, deny }: FramepostConfig["detector"]): boolean {
  return deny?.includes(label) !== true && allow?.includes(label) !== false;
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
export function webWarnings({ enabled, listen, token, allowedHosts, tls }: FramepostConfig["web"]): readonly string[] {
  const address = listenAddressOf(listen);
  if (!enabled || address === undefined) return [];
  // A name of its own is for a proxy before it: the listening address says nothing of who gets through that.
  if (token === undefined && allowedHosts.length > 0) {
    return [`web: whoever reaches ${allowedHosts.join(", ")} sees the pictures and acts on this device; set web.token`];
  }
  if (tls !== undefined || isLoopback(address.host)) return [];
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
