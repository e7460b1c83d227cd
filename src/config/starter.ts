import { writeYaml } from "./yaml.ts";

export type StarterCamera = { readonly id: string } & (
  | { readonly driver: "simulated" }
  /** A stable device path such as `/dev/v4l/by-id/…`. */
  | { readonly driver: "ffmpeg"; readonly input: string }
  | { readonly driver: "webcam"; readonly device: string }
  /** Its number, where it is not the only one. */
  | { readonly driver: "rpicam"; readonly camera?: number }
);

/** What `init` found or asked. */
export interface StarterChoices {
  readonly device?: string;
  /** With the settings of their drivers; those that have a default are left out. */
  readonly cameras: readonly StarterCamera[];
  readonly iotown?: {
    readonly url: string;
    /** A placeholder, never the token itself. */
    readonly token?: string;
  };
  readonly mqtt?: {
    readonly url: string;
    readonly username?: string;
    /** A placeholder, never the password itself. */
    readonly password?: string;
  };
  /** A data set on this disk: what works without any account. */
  readonly folder?: { readonly path: string };
  /** Path or address of the JSON Schema, for completion in editors. */
  readonly schema?: string;
}

const defaultToken = "${env:IOTOWN_TOKEN}";
const defaultPassword = "${env:MQTT_PASSWORD}";

/** A config with the few settings that have no default; secrets are only named, never written. */
export function starterConfig(choices: StarterChoices): string {
  const config = {
    ...(choices.device === undefined ? {} : { device: { name: choices.device } }),
    cameras: choices.cameras,
    targets: [...iotownTarget(choices), ...mqttTarget(choices), ...folderTarget(choices)],
  };
  const modeline = choices.schema === undefined ? "" : `# yaml-language-server: $schema=${choices.schema}\n`;
  const intro = "# Every setting that is not here has its default: `framepost config show` prints all of them.\n";
  return `${modeline}${intro}${writeYaml(config)}`;
}

function iotownTarget({ iotown }: StarterChoices): readonly unknown[] {
  if (iotown === undefined) return [];
  return [{ id: "iotown", kind: "iotown", url: iotown.url, token: iotown.token ?? defaultToken }];
}

function mqttTarget({ mqtt }: StarterChoices): readonly unknown[] {
  if (mqtt === undefined) return [];
  const { url, username, password = defaultPassword } = mqtt;
  return [{ id: "mqtt", kind: "mqtt", url, ...(username === undefined ? {} : { username, password }) }];
}

function folderTarget({ folder }: StarterChoices): readonly unknown[] {
  return folder === undefined ? [] : [{ id: "dataset", kind: "folder", ...folder }];
}
