import { AgentError, messageOf } from "../src/core/errors.ts";
import { hintFor } from "./hints.ts";

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
  [/^(USAGE|MODEL_NAME$)/, exitCodes.usage],
  // What only a person can mend: a service manager that starts the daemon again changes nothing.
  [/^(CONFIG_|IMPORT_KEY$|SPOOL_KEY_|SPOOL_FORMAT_UNKNOWN$|STATE_VERSION_UNKNOWN$)/, exitCodes.configuration],
  [
    /^(NET_|MODEL_DOWNLOAD$|ONVIF_|MQTT_OFFLINE|MQTT_NO_SUBSCRIBER|CONTROL_DENIED|VISION_UNAVAILABLE|SANDBOX_PORT)/,
    exitCodes.unavailable,
  ],
  [/^CAMERA_(?!BUSY|ENDED|OPTION_REFUSED)/, exitCodes.unavailable],
  [
    /^(SPOOL_LOCKED|CONTROL_(BUSY|FAILED|TIMEOUT)|SPOOL_FULL|DISK_FULL|MODEL_NO_ROOM|EXPORT_(FULL|BUSY)|CAMERA_BUSY|TIMEOUT)/,
    exitCodes.tryLater,
  ],
];

export function exitCodeOf(error: unknown): ExitCode {
  if (!(error instanceof AgentError)) return exitCodes.failed;
  return byPrefix.find(([pattern]) => pattern.test(error.code))?.[1] ?? exitCodes.failed;
}

/** For the person at the terminal: what went wrong, and what can be done. */
export function errorLines(error: unknown): readonly string[] {
  if (!(error instanceof AgentError)) return [`framepost: a fault of its own: ${messageOf(error)} (UNEXPECTED)`];
  const hint = hintFor(error.code);
  return [`framepost: ${error.message} (${error.code})`, ...(hint === undefined ? [] : [`  mend: ${hint}`])];
}
