import { writeYaml } from "./yaml.ts";

/** What `init` found or asked. */
export interface StarterAnswers {
  readonly device?: string;
  readonly cameras: readonly {
    readonly id: string;
    /** A stable device path such as `/dev/v4l/by-id/…`; without one the camera is the simulated one. */
    readonly device?: string;
  }[];
  readonly iotown?: { readonly url: string };
  readonly mqtt?: { readonly url: string; readonly username?: string };
  /** Path or address of the JSON Schema, for completion in editors. */
  readonly schema?: string;
}

/** Names of the credentials that a starter config asks for, in the order of its targets. */
export const starterCredentials = { iotown: "iotown-token", mqtt: "mqtt-password" } as const;

/** A config with the few settings that have no default; secrets are only named, never written. */
export function starterConfig(answers: StarterAnswers): string {
  const config = {
    ...(answers.device === undefined ? {} : { device: { name: answers.device } }),
    cameras: answers.cameras.map(({ id, device }) =>
      device === undefined ? { id, driver: "simulated" } : { id, driver: "webcam", device },
    ),
    targets: [...iotownTarget(answers), ...mqttTarget(answers)],
  };
  const modeline = `# yaml-language-server: $schema=${answers.schema ?? "./framepost.schema.json"}\n`;
  const intro = "# Every setting that is not here has its default: `framepost config show` prints all of them.\n";
  return `${modeline}${intro}${writeYaml(config)}`;
}

function iotownTarget({ iotown }: StarterAnswers): readonly unknown[] {
  if (iotown === undefined) return [];
  return [{ id: "iotown", kind: "iotown", url: iotown.url, token: credential(starterCredentials.iotown) }];
}

function mqttTarget({ mqtt }: StarterAnswers): readonly unknown[] {
  if (mqtt === undefined) return [];
  const { url, username } = mqtt;
  const login = username === undefined ? {} : { username, password: credential(starterCredentials.mqtt) };
  return [{ id: "mqtt", kind: "mqtt", url, ...login }];
}

function credential(name: string): string {
  return `\${credential:${name}}`;
}
