import { createHash } from "node:crypto";
import dgram from "node:dgram";
import { once } from "node:events";
import http, { type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface OnvifDeviceOptions {
  /** Asked for by WS-Security, as most cameras do; the date alone is told to everybody. */
  readonly login?: { readonly username: string; readonly password: string };
  readonly streamUri?: string;
  readonly snapshotUri?: string;
  /** The whole answer to an action instead of the usual one, or what to do with the connection. */
  readonly answers?: Readonly<Record<string, string | ((response: ServerResponse) => void)>>;
  /** What it answers to a probe: datagrams; the usual one when absent. */
  readonly matches?: (service: string, relatesTo: string) => readonly string[];
  /** Where it says that its services are; itself when absent. */
  readonly namedHost?: string;
}

const group = "239.255.255.250";
const discoveryPort = 3_702;

/** A stand-in for an ONVIF camera on loopback: WS-Discovery by multicast and its SOAP services. Gone with `await using`. */
export class OnvifDevice implements AsyncDisposable {
  /** Actions in the order of the requests. */
  readonly actions: string[] = [];
  readonly bodies: string[] = [];
  readonly #options: OnvifDeviceOptions;
  readonly #server: http.Server;
  readonly #socket = dgram.createSocket({ type: "udp4", reuseAddr: true });
  readonly #open = new Set<ServerResponse>();

  constructor(options: OnvifDeviceOptions = {}) {
    this.#options = options;
    this.#server = http.createServer((request, response) => {
      this.#open.add(response);
      let body = "";
      request.setEncoding("utf8").on("data", (text: string) => (body += text));
      request.on("end", () => this.#answer(body, response));
    });
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get service(): string {
    return `http://127.0.0.1:${this.port}/onvif/device_service`;
  }

  async start(): Promise<this> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    this.#socket.on("message", (probe, { port, address }) => {
      const id = /MessageID[^>]*>([^<]+)</.exec(probe.toString())?.[1] ?? "";
      const { matches = probeMatch } = this.#options;
      for (const answer of matches(this.service, id)) this.#socket.send(answer, port, address);
    });
    // At the group's own address, and a member on loopback alone: nothing of the network reaches it.
    this.#socket.bind(discoveryPort, group);
    await once(this.#socket, "listening");
    this.#socket.addMembership(group, "127.0.0.1");
    return this;
  }

  #answer(body: string, response: ServerResponse): void {
    const action = /<(Get\w+) /.exec(body)?.[1] ?? /<(Get\w+)/.exec(body)?.[1] ?? "";
    this.actions.push(action);
    this.bodies.push(body);
    if (action !== "GetSystemDateAndTime" && !this.#lets(body)) {
      response.writeHead(400).end(fault("ter:NotAuthorized", "Sender not Authorized"));
      return;
    }
    const answer = this.#options.answers?.[action] ?? this.#usual(action);
    if (typeof answer === "function") answer(response);
    else
      response.writeHead(answer.includes("Fault>") ? 400 : 200, { "Content-Type": "application/soap+xml" }).end(answer);
  }

  #lets(body: string): boolean {
    const { login } = this.#options;
    if (login === undefined) return true;
    const part = (name: string) => new RegExp(`<${name}[^>]*>([^<]*)</${name}>`).exec(body)?.[1] ?? "";
    const seed = Buffer.concat([Buffer.from(part("Nonce"), "base64"), Buffer.from(part("Created") + login.password)]);
    const fresh = Math.abs(Date.parse(part("Created")) - Date.now()) < 60_000;
    return fresh && part("Username") === login.username && part("Password") === sha1(seed);
  }

  #usual(action: string): string {
    const { namedHost, streamUri, snapshotUri } = this.#options;
    const host = `${namedHost ?? "127.0.0.1"}:${this.port}`;
    const now = new Date();
    switch (action) {
      case "GetSystemDateAndTime":
        return envelope(`<GetSystemDateAndTimeResponse><SystemDateAndTime><UTCDateTime>
          <Time><Hour>${now.getUTCHours()}</Hour><Minute>${now.getUTCMinutes()}</Minute><Second>${now.getUTCSeconds()}</Second></Time>
          <Date><Year>${now.getUTCFullYear()}</Year><Month>${now.getUTCMonth() + 1}</Month><Day>${now.getUTCDate()}</Day></Date>
          </UTCDateTime></SystemDateAndTime></GetSystemDateAndTimeResponse>`);
      case "GetServices":
        return envelope(`<GetServicesResponse>${service("device", "device_service", host)}${service("media", "media", host)}
          </GetServicesResponse>`);
      case "GetCapabilities":
        return envelope(`<GetCapabilitiesResponse><Capabilities><Media><XAddr>http://${host}/onvif/media</XAddr></Media>
          </Capabilities></GetCapabilitiesResponse>`);
      case "GetProfiles":
        return envelope(`<GetProfilesResponse>${profile("0", "Main stream", "H264", 2560, 1440, 20)}
          ${profile("1", "Sub", "JPEG", 640, 360, 5)}</GetProfilesResponse>`);
      case "GetStreamUri":
        return uri(action, streamUri ?? `rtsp://${namedHost ?? "127.0.0.1"}:554/stream1`);
      case "GetSnapshotUri":
        return uri(action, snapshotUri ?? `http://${namedHost ?? "127.0.0.1"}/snapshot.jpg`);
      default:
        return fault("ter:ActionNotSupported", "Optional Action Not Implemented");
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    for (const response of this.#open) response.destroy();
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}

/** The answer that a camera gives to a probe. */
export function probeMatch(service: string, relatesTo: string, name = "Front%20door"): readonly string[] {
  return [
    `<?xml version="1.0"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"
    xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery" xmlns:dn="http://www.onvif.org/ver10/network/wsdl"><s:Header><a:RelatesTo>${relatesTo}</a:RelatesTo></s:Header>
    <s:Body><d:ProbeMatches><d:ProbeMatch><a:EndpointReference><a:Address>urn:uuid:${sha1(Buffer.from(service))}</a:Address></a:EndpointReference>
    <d:Types>dn:NetworkVideoTransmitter</d:Types><d:Scopes>onvif://www.onvif.org/name/${name} onvif://www.onvif.org/hardware/AB-1</d:Scopes>
    <d:XAddrs>http://192.0.2.77/onvif/device_service ${service}</d:XAddrs><d:MetadataVersion>1</d:MetadataVersion></d:ProbeMatch></d:ProbeMatches></s:Body></s:Envelope>`,
  ];
}

export function envelope(body: string): string {
  return `<?xml version="1.0"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body>${body}</s:Body></s:Envelope>`;
}

export function fault(subcode: string, text: string): string {
  return envelope(`<s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>${subcode}</s:Value></s:Subcode></s:Code>
    <s:Reason><s:Text xml:lang="en">${text}</s:Text></s:Reason></s:Fault>`);
}

function service(name: string, path: string, host: string): string {
  return `<Service><Namespace>http://www.onvif.org/ver10/${name}/wsdl</Namespace><XAddr>http://${host}/onvif/${path}</XAddr></Service>`;
}

function profile(token: string, name: string, encoding: string, width: number, height: number, rate: number): string {
  return `<Profiles token="${token}" fixed="true"><Name>${name}</Name><VideoEncoderConfiguration token="e${token}"><Encoding>${encoding}</Encoding>
    <Resolution><Width>${width}</Width><Height>${height}</Height></Resolution><RateControl><FrameRateLimit>${rate}</FrameRateLimit></RateControl>
    </VideoEncoderConfiguration></Profiles>`;
}

function uri(action: string, address: string): string {
  const text = address.replaceAll("&", "&amp;");
  return envelope(`<${action}Response><MediaUri><Uri>${text}</Uri></MediaUri></${action}Response>`);
}

function sha1(bytes: Buffer): string {
  return createHash("sha1").update(bytes).digest("base64");
}
