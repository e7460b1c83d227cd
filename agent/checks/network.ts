import { X509Certificate } from "node:crypto";
import { lookup } from "node:dns/promises";
import { readFile } from "node:fs/promises";
import { isIP } from "node:net";
import { errnoOf } from "../../src/core/errors.ts";
import { captureLimits } from "../../src/core/capture-limits.ts";
import { dayMs } from "../../src/core/units.ts";
import { unlessAborted } from "../../src/link/deadline.ts";
import { type PeerCertificate, peerCertificates } from "../../src/link/peer-certificates.ts";
import type { FramepostConfig } from "../config-schema.ts";
import type { CommandContext } from "../context.ts";
import { within } from "../time-limit.ts";
import { type Endpoint, endpointsOf } from "./endpoints.ts";
import type { CheckResult } from "./result.ts";

const lookupTimeoutMs = 5_000;
const handshakeTimeoutMs = 5_000;
/** Renewals that are made by hand take this long; those by machine are made 30 days before the end. */
const daysLeftMin = 21;

export interface NetworkLimits {
  readonly resolve: (host: string) => Promise<unknown>;
  readonly lookupTimeoutMs: number;
}

/** Names and certificates of the servers in the config, all at once. What is wrong behind them is for each target to say. */
export async function networkChecks(
  context: Pick<CommandContext, "clock" | "signal">,
  config: Pick<FramepostConfig, "targets" | "remote">,
  limits: NetworkLimits = { resolve: lookup, lookupTimeoutMs },
): Promise<readonly CheckResult[]> {
  const endpoints = endpointsOf(config);
  const names = [...new Set(endpoints.map(({ host }) => host))].filter((host) => isIP(host) === 0);
  const secure = [
    ...new Map(endpoints.filter((each) => each.secure).map((each) => [`${each.host}:${each.port}`, each])).values(),
  ];
  const [resolved, shown, own] = await Promise.all([
    Promise.all(names.map(async (name) => nameCheck(context, name, endpoints, limits))),
    Promise.all(secure.map(async (endpoint) => serverCheck(context, endpoint))),
    Promise.all(filesOf(endpoints).map(async (file) => certificateFileCheck(context, file))),
  ]);
  context.signal.throwIfAborted();
  const found = resolved.filter(({ result }) => result === "ok").map(({ found: text }) => text);
  return [
    ...(found.length === 0 ? [] : [{ check: "names", result: "ok" as const, found: found.join(", ") }]),
    ...resolved.filter(({ result }) => result !== "ok"),
    ...shown.filter((result) => result !== undefined),
    ...own.filter((result) => result !== undefined),
  ];
}

async function nameCheck(
  { signal }: Pick<CommandContext, "signal">,
  name: string,
  endpoints: readonly Endpoint[],
  { resolve, lookupTimeoutMs: timeoutMs }: NetworkLimits,
): Promise<CheckResult> {
  const startedMs = performance.now();
  try {
    await within(timeoutMs, signal, (limited) => unlessAborted(resolve(name), limited, "resolving"));
    return { check: `name ${name}`, result: "ok", found: `${name} in ${Math.round(performance.now() - startedMs)} ms` };
  } catch (error) {
    const users = endpoints.filter(({ host }) => host === name).map(({ user }) => user);
    const why = whyUnresolved(errnoOf(error));
    const found = `${why}; needed by ${[...new Set(users)].join(", ")} (NET_DNS)`;
    return {
      check: `name ${name}`,
      result: "failed",
      found,
      mend: `see what answers: getent hosts ${name}; the name servers: cat /etc/resolv.conf`,
    };
  }
}

function whyUnresolved(code: string | undefined): string {
  if (code === undefined || code === "ABORTED") return "no answer in time";
  return code === "ENOTFOUND" ? "no such name is known" : `no name server answers (${code})`;
}

/** Undefined where nobody answers: that is what the target's own line says. */
async function serverCheck(
  context: Pick<CommandContext, "clock" | "signal">,
  { host, port, tls }: Endpoint,
): Promise<CheckResult | undefined> {
  try {
    const chain = await peerCertificates({ host, port, tls }, handshakeTimeoutMs, context.signal);
    const first = soonest(chain);
    return first === undefined
      ? undefined
      : expiry(
          context,
          `certificate of ${host}:${port}`,
          first,
          "renew it at the server (certbot renew, or whoever runs it)",
        );
  } catch {
    return undefined;
  }
}

interface CertificateFile {
  readonly file: string;
  readonly what: string;
  readonly mend: string;
}

function filesOf(endpoints: readonly Endpoint[]): readonly CertificateFile[] {
  const files = endpoints.flatMap(({ user, tls }) => [
    ...(tls?.cert === undefined
      ? []
      : [
          {
            file: tls.cert,
            what: `client certificate of ${user}`,
            mend: `have it renewed, and put it in place of ${tls.cert}`,
          },
        ]),
    ...(tls?.ca === undefined
      ? []
      : [{ file: tls.ca, what: `authority of ${user}`, mend: `put the authority's new certificate into ${tls.ca}` }]),
  ]);
  return [...new Map(files.map((each) => [each.file, each])).values()];
}

/** Undefined where it cannot be read, which the target's own line says, and where it is good for long. */
export async function certificateFileCheck(
  context: Pick<CommandContext, "clock">,
  { file, what, mend }: CertificateFile,
): Promise<CheckResult | undefined> {
  try {
    const { subject, validTo } = new X509Certificate(await readFile(file));
    return expiry(context, what, { subject, validToMs: Date.parse(validTo) }, mend);
  } catch {
    return undefined;
  }
}

function soonest(chain: readonly PeerCertificate[]): PeerCertificate | undefined {
  return chain.toSorted((a, b) => a.validToMs - b.validToMs)[0];
}

/** Of a clock that was never set nothing follows: its own line says so. */
function expiry(
  { clock }: Pick<CommandContext, "clock">,
  check: string,
  { subject, validToMs }: PeerCertificate,
  mend: string,
): CheckResult | undefined {
  const nowMs = clock.nowMs();
  if (nowMs < captureLimits.clockPlausibleFromMs) return undefined;
  const days = Math.floor((validToMs - nowMs) / dayMs);
  const name = subject.replaceAll("\n", ", ");
  if (validToMs <= nowMs)
    return {
      check,
      result: "failed",
      found: `${name} ended ${Math.floor((nowMs - validToMs) / dayMs)} days ago (TLS_EXPIRED)`,
      mend,
    };
  const found = `${name} is good for ${days} days`;
  return days < daysLeftMin ? { check, result: "warning", found, mend } : { check, result: "ok", found };
}
