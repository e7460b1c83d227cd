import { type Clock, SystemClock } from "../../src/core/clock.ts";
import { healthRoutes } from "../../src/web/health-routes.ts";
import { loginRoutes } from "../../src/web/login.ts";
import type { HealthAnswer, WebPorts } from "../../src/web/ports.ts";
import { WebServer, type WebServerOptions, type WebTiming } from "../../src/web/server.ts";
import { rawExchange, type RawAnswer, request } from "./raw-http.ts";
import { RecordingLogger, seededRandom } from "./seams.ts";

export const webToken = "a-token-of-more-than-16-characters";

/** The real server on a free port, with what a page would have: a command that counts, and a stream. */
export class WebBench {
  readonly log = new RecordingLogger();
  /** Of the command: what it was told. */
  readonly told: unknown[] = [];
  late: readonly string[] = [];
  reasons: readonly string[] = [];
  health: HealthAnswer = { state: "ok", stateForMs: 0, report: { state: "ok" } };
  /** What the next request to `/breaks` fails with. */
  failure: Error = new Error("nothing is wrong");
  readonly #server: WebServer;

  constructor(
    config: Partial<WebServerOptions["config"]> = {},
    { clock = new SystemClock(), timing = {} }: { readonly clock?: Clock; readonly timing?: Partial<WebTiming> } = {},
  ) {
    const ports: WebPorts = {
      late: () => this.late,
      unready: async () => this.reasons,
      health: async () => this.health,
      metrics: async () => "framepost_info 1\n",
    };
    this.#server = new WebServer(
      {
        timing,
        config: { listen: "127.0.0.1:0", allowedHosts: [], ...config },
        routes: (tokens) => [
          (app) => loginRoutes(app, tokens),
          (app) => healthRoutes(app, ports, 60_000),
          (app, streams) => {
            app.post("/api/commands/mark", async (context) => {
              this.told.push(await context.req.json());
              return context.json({ state: "done" });
            });
            app.get("/api/events", ({ req }) => streams.open(req, (stream) => stream.send("hello", { n: 1 })));
            app.get("/breaks", () => {
              throw this.failure;
            });
          },
        ],
      },
      { clock, random: seededRandom(1), log: this.log },
    );
  }

  async start(): Promise<this> {
    await this.#server.start(new AbortController().signal);
    return this;
  }

  async stop(): Promise<void> {
    await this.#server.stop();
  }

  get url(): string {
    return this.#server.url() ?? "";
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  /** With the Host that a browser would send. */
  async ask(line: string, headers: Readonly<Record<string, string>> = {}, body = ""): Promise<RawAnswer> {
    return await rawExchange(this.port, request(line, { host: `127.0.0.1:${this.port}`, ...headers }, body));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
