import type { Clock } from "../../core/clock.ts";
import type { Random } from "../../core/ports.ts";
import type { TlsSettings } from "../../link/tls.ts";
import type { CaptureLimits } from "../judge.ts";

/** What both drivers need to know of a camera's web server. */
export interface HttpCameraOptions {
  /** May hold secrets in its query, and is never printed with it. */
  readonly url: string;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** Sent with every request. Secret. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly tls?: TlsSettings | undefined;
  /** For a whole picture; of a stream, for the answer to begin. */
  readonly timeoutMs: number;
}

export interface HttpCameraSeams {
  readonly clock: Clock;
  readonly random: Random;
  /** For tests. */
  readonly limits?: Partial<CaptureLimits>;
}
