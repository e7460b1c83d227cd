import { brokerAddress } from "../../src/link/broker-address.ts";
import type { TlsSettings } from "../../src/link/tls.ts";
import type { FramepostConfig, TargetConfig } from "../config-schema.ts";

/** A server that the config makes us talk to. */
export interface Endpoint {
  /** What needs it: `target iotown`, `remote`. */
  readonly user: string;
  readonly host: string;
  readonly port: number;
  /** TLS from here to there. */
  readonly secure: boolean;
  readonly tls?: TlsSettings | undefined;
}

export function endpointsOf({ targets, remote }: Pick<FramepostConfig, "targets" | "remote">): readonly Endpoint[] {
  return [
    ...targets.flatMap(endpointsOfTarget),
    ...(remote === undefined ? [] : [{ user: "remote", ...brokerAddress(remote.url), tls: remote.tls }]),
  ];
}

function endpointsOfTarget(target: TargetConfig): readonly Endpoint[] {
  const user = `target ${target.id}`;
  switch (target.kind) {
    case "folder":
      return [];
    case "mqtt":
      return [{ user, ...brokerAddress(target.url), tls: target.tls }];
    case "iotown": {
      const { callbacks } = target;
      const broker = callbacks === undefined ? [] : [{ user, ...brokerAddress(callbacks.url), tls: callbacks.tls }];
      return [...platform(user, target), ...broker];
    }
    case "layernext":
    case "onestepai":
    case "customvision":
    case "remo":
      return platform(user, target);
  }
}

/** Behind a proxy the platform's own name and certificate are the proxy's affair: only the proxy is looked for here. */
function platform(
  user: string,
  {
    url,
    proxy,
    tls,
  }: { readonly url?: string | undefined; readonly proxy?: string | undefined; readonly tls?: TlsSettings | undefined },
): readonly Endpoint[] {
  if (proxy !== undefined) return [{ ...addressOf(proxy), user: `${user}, proxy`, secure: false }];
  return url === undefined ? [] : [{ user, ...addressOf(url), tls }];
}

function addressOf(url: string): Pick<Endpoint, "host" | "port" | "secure"> {
  const { protocol, hostname, port } = new URL(url);
  const secure = protocol === "https:";
  const host = hostname.replace(/^\[(.*)\]$/, "$1");
  return { host, port: port === "" ? (secure ? 443 : 80) : Number(port), secure };
}
