import http from "node:http";
import https from "node:https";
import { networkInterfaces } from "node:os";
import type { Cam } from "onvif";
import type { Clock } from "../../core/clock.ts";
import { AgentError, errnoOf, isAbort, messageOf } from "../../core/errors.ts";
import { discoverLimits } from "../../core/capture-limits.ts";
import { withDeadline } from "../deadline.ts";
import { cleanAddress, type DeviceAddress, deviceService } from "./onvif-address.ts";
import { bare, matchOf, profilesOf, textIn } from "./onvif-answers.ts";

/**
 * ONVIF cameras of the network, asked for on demand only. The package is kept on a short lead: its `connect`, which may
 * throw or never call back, and its automatic connecting to whatever a datagram names are not used; it gets no password
 * but for a host that the operator named, and talks to no other; its answers, which have no bound, come through sockets
 * that have one.
 */

export interface OnvifDevice {
  /** As it calls itself; foreign text. */
  readonly name: string;
  /** Its device service, for `describeOnvifDevice`. */
  readonly service: string;
}

export interface OnvifProfile {
  readonly name: string;
  /** For example `H264` or `JPEG`. */
  readonly encoding?: string;
  readonly width?: number;
  readonly height?: number;
  readonly framesPerSecond?: number;
  readonly stream?: DeviceAddress;
  readonly snapshot?: DeviceAddress;
}

export interface ProbeOptions {
  readonly timeoutMs?: number;
  /** Networks to ask on, by the names of their interfaces; all but loopback when absent. */
  readonly interfaces?: readonly string[];
}

export interface OnvifLogin {
  readonly username: string;
  readonly password: string;
}

/** WS-Discovery on every network at once. Devices in the order of their answers, each once; rubbish is left out. */
export async function findOnvifDevices(
  { timeoutMs = discoverLimits.onvifProbeMs, interfaces = networks() }: ProbeOptions,
  signal: AbortSignal,
): Promise<readonly OnvifDevice[]> {
  const { default: onvif } = await import("onvif");
  const found = new Map<string, OnvifDevice>();
  const onDevice = (answer: unknown, sender: { readonly address: string }) => {
    const match = matchOf(answer, sender.address);
    if (match !== undefined && found.size < discoverLimits.camerasMax) found.set(match.service, match);
  };
  // Without a listener each datagram that is no answer would end the process.
  const onRubbish = () => undefined;
  onvif.Discovery.on("device", onDevice);
  onvif.Discovery.on("error", onRubbish);
  try {
    const probe = (device: string) =>
      new Promise<unknown>((resolve) => {
        onvif.Discovery.probe({ device, timeout: timeoutMs, resolve: false }, resolve);
      });
    const failures = await orAborted(Promise.all(interfaces.map(probe)), signal);
    const failure = failures.find((error) => errnoOf(error) !== undefined);
    if (found.size === 0 && failure !== undefined && failures.every((error) => errnoOf(error) !== undefined)) {
      throw classified(failure, "cannot search the network");
    }
    return [...found.values()];
  } finally {
    onvif.Discovery.off("device", onDevice);
    // Its socket may outlive an abort until the time is up.
    if (!signal.aborted) onvif.Discovery.off("error", onRubbish);
  }
}

/**
 * The profiles of one device, with the addresses of their streams and pictures. Fails with an `ONVIF_…` code. `given`
 * is a host, a host with a port, or the whole address of the device service.
 */
export async function describeOnvifDevice(
  given: string,
  login: OnvifLogin | undefined,
  clock: Clock,
  signal: AbortSignal,
): Promise<readonly OnvifProfile[]> {
  const service = deviceService(given);
  if (service === undefined) throw refused(given);
  const { default: onvif } = await import("onvif");
  const useSecure = service.protocol === "https:";
  const agent = boundedAgent(useSecure);
  const device = new onvif.Cam({
    hostname: bare(service.hostname),
    port: Number(service.port) || (useSecure ? 443 : 80),
    path: service.pathname,
    useSecure,
    agent,
    timeout: discoverLimits.onvifCallTimeoutMs,
    // A device may name 0.0.0.0, or any host: the login goes to the one that the operator named.
    preserveAddress: true,
    autoconnect: false,
    ...(login === undefined ? {} : forDigest(login)),
  });
  const late = () => noAnswer(service.host);
  try {
    const work = (limited: AbortSignal) => describe(device, service, login, clock, limited);
    return await withDeadline(clock, discoverLimits.onvifDeviceTimeoutMs, signal, work, late);
  } finally {
    // Ends what is still under way: the package has no way to stop a request.
    agent.destroy();
  }
}

/** The package calls back with null, undefined or false where nothing went wrong. */
type Done = (error: Error | null, data?: unknown) => void;

async function describe(
  device: Cam,
  { host, hostname }: URL,
  login: OnvifLogin | undefined,
  clock: Clock,
  signal: AbortSignal,
): Promise<readonly OnvifProfile[]> {
  let status = 0;
  device.on("rawResponse", (_xml: string, code: number) => (status = code));
  const ask = async (call: (done: Done) => void): Promise<unknown> => {
    const work = () =>
      new Promise<unknown>((resolve, reject) => {
        call((error, data) => (error ? reject(error) : resolve(data)));
      });
    try {
      return await withDeadline(clock, discoverLimits.onvifCallTimeoutMs, signal, work, () => noAnswer(host));
    } catch (error) {
      signal.throwIfAborted();
      throw classified(error, `ONVIF device ${host}`, status);
    }
  };
  await ask((done) => device.getSystemDateAndTime(done));
  // A login is stamped with the device's time; without one the package would stamp it with 1970.
  device.timeShift ??= Date.now() - process.uptime() * 1_000;
  await ask((done) => device.getServices(true, done)).catch((error: unknown) => {
    if (!isRefusal(error)) throw error;
    // Devices of before 2012 know only the older question.
    return ask((done) => device.getCapabilities(done));
  });
  await ask((done) => device.getProfiles(done)).catch((error: unknown) => {
    if (device.media2Support !== true || !isRefusal(error)) throw error;
    device.media2Support = false;
    return ask((done) => device.getProfiles(done));
  });
  const secrets = login === undefined ? [] : [login.password];
  const addressOf = async (call: Parameters<typeof ask>[0]): Promise<DeviceAddress | undefined> => {
    const data = await ask(call).catch((error: unknown) => {
      // A profile without a stream or a picture is no fault of the others.
      if (!isRefusal(error)) throw error;
      return undefined;
    });
    return cleanAddress(textIn(data, "uri"), hostname, secrets);
  };
  const profiles: OnvifProfile[] = [];
  for (const profile of profilesOf(device.profiles).slice(0, discoverLimits.onvifProfilesMax)) {
    const { token: profileToken, ...facts } = profile;
    const stream = await addressOf((done) => device.getStreamUri({ protocol: "RTSP", profileToken }, done));
    const snapshot = await addressOf((done) => device.getSnapshotUri({ profileToken }, done));
    profiles.push({
      ...facts,
      ...(stream === undefined ? {} : { stream }),
      ...(snapshot === undefined ? {} : { snapshot }),
    });
  }
  return profiles;
}

/** The package digests a password as if it were Latin-1, and writes a user into XML as it is. */
function forDigest({ username, password }: OnvifLogin): OnvifLogin {
  const escaped = username.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return { username: escaped, password: Buffer.from(password).toString("latin1") };
}

/** Of an agent alone the sockets can be ended, and what they bring be counted. */
function boundedAgent(secure: boolean): http.Agent {
  const agent = secure ? new https.Agent() : new http.Agent();
  const connect = agent.createConnection.bind(agent);
  agent.createConnection = (options, callback) => {
    const socket = connect(options, callback);
    let receivedBytes = 0;
    socket?.on("data", (chunk: Buffer) => {
      receivedBytes += chunk.length;
      if (receivedBytes > discoverLimits.onvifAnswerBytesMax) socket.destroy(new Error("the answer is too large"));
    });
    return socket;
  };
  return agent;
}

function networks(): readonly string[] {
  const named = Object.entries(networkInterfaces());
  return named.flatMap(([name, addresses = []]) =>
    addresses.some(({ family, internal }) => family === "IPv4" && !internal) ? [name] : [],
  );
}

async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason as Error);
    signal.addEventListener("abort", onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}

/** The device answered, and did not want to. */
function isRefusal(error: unknown): boolean {
  return error instanceof AgentError && (error.code === "ONVIF_REFUSED" || error.code === "ONVIF_ANSWER");
}

function refused(given: string): AgentError {
  const message = `${JSON.stringify(given.slice(0, 80))} is no host, and no address without user and query`;
  return new AgentError("USAGE_HOST", message, { disposition: "fatal" });
}

function noAnswer(host: string): AgentError {
  return new AgentError("ONVIF_NO_ANSWER", `ONVIF device ${host}: it does not answer`, { disposition: "retry" });
}

const networkErrnos =
  /^(?:ECONNREFUSED|ECONNRESET|EHOSTUNREACH|ENETUNREACH|ENETDOWN|ENOTFOUND|EAI_AGAIN|EPIPE|EACCES|EPERM)$/;

/** All that the package throws, emits and calls back with. Its texts may hold what the device sent: short, one line. */
function classified(error: unknown, attempted: string, status = 0): AgentError {
  if (error instanceof AgentError || isAbort(error)) return error as AgentError;
  const text = messageOf(error, 160).replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, " ");
  const errno = errnoOf(error) ?? "";
  const failed = (code: string, what: string) =>
    new AgentError(code, `${attempted}: ${what}`, { disposition: "retry", cause: error });
  if (networkErrnos.test(errno)) return failed("ONVIF_UNREACHABLE", `it cannot be reached (${errno})`);
  if (/CERT|TLS|SSL/.test(errno)) return failed("ONVIF_TLS", `its certificate is not trusted (${errno})`);
  if (text === "Network timeout") return failed("ONVIF_NO_ANSWER", "it does not answer");
  const isDenial = status === 401 || status === 403 || /not\s?authori[sz]ed|unauthori[sz]ed|authentication/i.test(text);
  if (isDenial) return failed("ONVIF_LOGIN", "it wants a user and a password, or others");
  if (text.startsWith("ONVIF SOAP Fault")) return failed("ONVIF_REFUSED", text);
  return failed("ONVIF_ANSWER", `it answered, but not as an ONVIF device does (${text})`);
}
