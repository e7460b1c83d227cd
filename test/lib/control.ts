import { remoteConfig } from "../../src/remote/config.ts";
import { ControlLink, type ControlLinkParts, type ControlTiming } from "../../src/remote/control-link.ts";
import { Topics } from "../../src/remote/topics.ts";
import { linkSeams } from "./mqtt.ts";
import type { RecordingLogger } from "./seams.ts";

/** Short enough for a test, with a random that is always a half: waits are these halved. */
export const quickTiming: Partial<ControlTiming> = {
  reconnectFirstMaxMs: 200,
  reconnectFirstMs: 20,
  reconnectMaxMs: 100,
};

export interface ControlOptions {
  readonly config?: object;
  readonly instance?: string;
  readonly timing?: Partial<ControlTiming>;
  readonly kept?: Readonly<Record<string, string>>;
  readonly onRequest?: ControlLinkParts["onRequest"];
}

/** The control link of a device `gw` that notes the requests it hears. */
export interface ControlBench {
  readonly link: ControlLink;
  readonly topics: Topics;
  readonly log: RecordingLogger;
  /** `topic payload` */
  readonly requests: readonly string[];
  /** Resolves when it is connected. */
  here(): Promise<void>;
}

export function controlLink(url: string, options: ControlOptions = {}): ControlBench {
  const { instance = "one", kept = {} } = options;
  const config = remoteConfig.parse({ url, homeAssistant: { enabled: false }, ...options.config });
  const seams = linkSeams(() => 0.5);
  const topics = new Topics(config.root, "gw");
  const requests: string[] = [];
  const all = new Map([
    [topics.info, Buffer.from(JSON.stringify({ v: 1, instance }))],
    ...Object.entries(kept).map(([topic, text]) => [topic, Buffer.from(text)] as const),
  ]);
  const onRequest: ControlLinkParts["onRequest"] = async (message) => {
    requests.push(`${message.topic} ${message.payload.toString()}`);
    await options.onRequest?.(message);
  };
  const sealed = (event: string, data: object) => ({ event, data });
  const parts = { config, device: "gw", instance, topics, onRequest, sealed, kept: () => all };
  const link = new ControlLink({ ...parts, timing: { ...quickTiming, ...options.timing } }, seams);
  link.start();
  return { link, topics, log: seams.log, requests, here: () => link.connected(AbortSignal.timeout(5_000)) };
}
