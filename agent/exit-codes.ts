import { AgentError } from "../src/core/errors.ts";

/** sysexits.h numbers where one fits, so that service managers and scripts can tell causes apart. */
export const exitCodes = {
  ok: 0,
  failed: 1,
  usage: 2,
  unavailable: 69,
  tryLater: 75,
  configuration: 78,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

const byPrefix: readonly (readonly [RegExp, ExitCode])[] = [
  [/^USAGE/, exitCodes.usage],
  [/^CONFIG_/, exitCodes.configuration],
  [/^(NET_|MQTT_OFFLINE|VISION_UNAVAILABLE|CAMERA_PROGRAM_MISSING|CAMERA_NO_DEVICE)/, exitCodes.unavailable],
  [/^(SPOOL_LOCKED|SPOOL_FULL|DISK_FULL|TIMEOUT)/, exitCodes.tryLater],
];

export function exitCodeOf(error: unknown): ExitCode {
  if (!(error instanceof AgentError)) return exitCodes.failed;
  return byPrefix.find(([pattern]) => pattern.test(error.code))?.[1] ?? exitCodes.failed;
}
