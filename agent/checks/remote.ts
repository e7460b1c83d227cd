import { randomBytes } from "node:crypto";
import { asAgentError } from "../../src/core/errors.ts";
import type { Seams } from "../../src/core/ports.ts";
import { brokerAddress } from "../../src/link/broker-address.ts";
import { MqttLink } from "../../src/link/mqtt-link.ts";
import type { RemoteConfig } from "../../src/remote/config.ts";
import { Topics } from "../../src/remote/topics.ts";
import type { CommandContext } from "../context.ts";
import { hintFor } from "../hints.ts";
import { within } from "../time-limit.ts";
import { type CheckResult, failed } from "./result.ts";

const check = "remote";
const connectTimeoutMs = 15_000;

/**
 * Whether the broker by which this device is steered lets it in and lets it hear its requests. Undefined where the config
 * has no `remote`.
 */
export async function remoteCheck(
  context: CommandContext,
  { remote, device }: { readonly remote: RemoteConfig | undefined; readonly device: string },
  seams: Seams,
): Promise<CheckResult | undefined> {
  if (remote === undefined) return undefined;
  const { signal } = context;
  const filters = new Topics(remote.root, device).requests(remote.groups);
  const refused: string[] = [];
  const link = linkOf(remote, { filters, refused }, seams);
  link.start();
  try {
    await within(connectTimeoutMs, signal, (limited) => link.check(limited));
    const version = link.limits()?.version === 5 ? "5" : "3.1.1";
    if (refused.length === 0) {
      const found = `${link.broker()} lets us in with MQTT ${version}; requests come on ${filters.join(", ")}`;
      return { check, result: "ok", found };
    }
    const found = `${link.broker()} lets us in, but forbids to read ${refused.join(", ")} (MQTT_NOT_AUTHORISED)`;
    const mend = `let ${remote.username ?? device} read these topics; docs/fleet.md has an access list`;
    return { check, result: "failed", found, mend };
  } catch (error) {
    signal.throwIfAborted();
    if (asAgentError(error, check).code !== "ABORTED") return failed(check, error);
    const found = `${link.broker()} does not answer within ${connectTimeoutMs / 1_000} s (NET_TIMEOUT)`;
    return { check, result: "failed", found, mend: hintFor("NET_TIMEOUT") ?? "" };
  } finally {
    await link.close();
  }
}

function linkOf(
  { url, protocol, username, password, tls }: RemoteConfig,
  { filters, refused }: { readonly filters: readonly string[]; readonly refused: string[] },
  seams: Seams,
): MqttLink {
  const { host, port, secure } = brokerAddress(url);
  const tlsFiles = tls ?? (secure ? { insecureSkipVerify: false } : undefined);
  return new MqttLink(
    {
      ...{ host, port, protocol },
      // Never the device's own: a running daemon would be thrown out, and requests that wait for it would come here.
      clientId: `framepost-doctor-${randomBytes(8).toString("hex")}`,
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
      ...(tlsFiles === undefined ? {} : { tls: tlsFiles }),
      subscriptions: [
        {
          ...{ filters, qos: 0, kept: "none", onMessage: () => undefined },
          onRefused: (_error, these) => refused.push(...these),
        },
      ],
    },
    seams,
  );
}
