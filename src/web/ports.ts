import type { Hono } from "hono";
import type { HttpBindings } from "@hono/node-server";
import type { EventStreams } from "./event-streams.ts";

/** What the web server shows, implemented by the agent. */
export interface WebPorts {
  /** Names of the loops that do not say any more that they are alive. */
  late(): readonly string[];
  /** Why the device does not do its work, each in a few words; empty when it does. Being offline is no reason. */
  unready(): Promise<readonly string[]>;
  health(): Promise<HealthAnswer>;
  /** In Prometheus' text format. */
  metrics(): Promise<string>;
}

/** A health report as JSON. Holds no secret. */
export interface HealthAnswer {
  readonly state: "ok" | "degraded";
  /** How long it has been in that state. */
  readonly stateForMs: number;
  readonly report: object;
}

/** The router. Every request that comes to a handler is allowed, and its body is read and bounded. */
export type WebApp = Hono<{ Bindings: HttpBindings }>;

/**
 * Adds routes. Only types of hono may be imported for it: the package itself is loaded when the server starts. What a
 * handler throws becomes an answer: an AgentError with its code and redacted message, anything else without a word.
 */
export type Routes = (app: WebApp, streams: EventStreams) => void;
