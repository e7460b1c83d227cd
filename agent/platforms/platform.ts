import type { Seams } from "../../src/core/ports.ts";
import type { findingsOf } from "../../src/config/findings.ts";
import type { secretValues } from "../../src/config/redact.ts";
import type { HttpAnswer } from "../../src/link/http-status.ts";
import type { HttpCaller, HttpRequest } from "../../src/link/http.ts";

/** How the account of a platform is named and reached. */
export interface PlatformAccount {
  readonly kind: string;
  /** For people, for example `IoT.own`. */
  readonly title: string;
  /**
   * The settings that reach an account, which the config's targets of this kind have too. From the environment each is
   * `FRAMEPOST_<KIND>_<NAME>`, for example `FRAMEPOST_LAYERNEXT_API_KEY` for `apiKey`; only texts can come from there.
   */
  readonly access: AccessSchema;
  /** Settings that are objects, with those of their keys that are texts: `url` of `broker` is `FRAMEPOST_<KIND>_BROKER_URL`. */
  readonly groups?: Readonly<Record<string, readonly string[]>>;
}

/** One platform as `framepost platform <kind> …` shows it: every operation of its client, by name. */
export interface Platform<Client> extends PlatformAccount {
  /** `access` has passed the schema. */
  connect(access: Readonly<Record<string, unknown>>, link: HttpCaller): Client;
  readonly operations: readonly Operation<Client>[];
  /**
   * For `--dry-run`: what the platform might answer, so that an operation of several requests shows them all. Ids are
   * made up and look so, for example `<uploadId>`.
   */
  dryAnswer(
    request: HttpRequest,
  ): Pick<HttpAnswer, "status"> & { readonly headers?: HttpAnswer["headers"]; readonly body?: unknown };
}

/** Its secret fields are marked, so that they are known wherever the access comes from. */
type MarkedSchema = Parameters<typeof secretValues>[0];

/** What is needed of a target's zod schema; it must strip keys that it does not know. */
export interface AccessSchema extends MarkedSchema {
  readonly shape: Readonly<Record<string, unknown>>;
  safeParse(value: unknown):
    | { readonly success: true; readonly data: Readonly<Record<string, unknown>> }
    | {
        readonly success: false;
        readonly error: { readonly issues: Parameters<typeof findingsOf>[2] };
      };
}

export interface Operation<Client> {
  /** As a word of the command line, for example `upload-image`. */
  readonly name: string;
  readonly summary: string;
  /** What the user's document calls it; absent where the operation is not in it. */
  readonly document?: string;
  readonly arguments?: readonly OperationArgument[];
  readonly options?: readonly OperationOption[];
  /** Its result is what it gives to `line`, where it returns none. */
  readonly streams?: boolean;
  /**
   * The result is printed: a text as it is, anything else as JSON. Bytes go through `save`. Fails with the client's
   * AgentErrors, and with `USAGE_…` for what the person got wrong.
   */
  run(call: OperationCall<Client>): Promise<unknown>;
}

export interface OperationArgument {
  readonly name: string;
  readonly description: string;
  readonly optional?: boolean;
  /** Takes all that follow; only the last one may. */
  readonly many?: boolean;
}

export interface OperationOption {
  /** As commander writes them, for example `--take <n>`. */
  readonly flags: string;
  readonly description: string;
  readonly required?: boolean;
  readonly choices?: readonly string[];
  /** Checks and converts; throws commander's InvalidArgumentError. May be given several times where it collects. */
  readonly parse?: (text: string, before: unknown) => unknown;
  /** What the user's document calls it, where that is another word. */
  readonly document?: string;
}

export interface OperationCall<Client> {
  readonly client: Client;
  /** In the order of `arguments`; a `many` one is a list. */
  readonly args: readonly (string | readonly string[] | undefined)[];
  /** By their long names in camelCase, as commander gives them. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly signal: AbortSignal;
  /** A file of the person's. Fails with `USAGE_PATH`. */
  readonly read: (file: string) => Promise<Buffer>;
  /** To the file of `--output`, which the operation must have as a required option. Returns what to print. */
  readonly save: (file: string, bytes: Buffer) => Promise<{ readonly file: string; readonly sizeBytes: number }>;
  /** A bar on the status line. */
  readonly progress: (done: number, total: number, what: string) => void;
  /** One line for the person watching. */
  readonly note: (line: string) => void;
  /** One JSON line of a result that comes piece by piece. */
  readonly line: (value: unknown) => void;
  /** What does not go through the client's HttpCaller must not be done. */
  readonly dryRun: boolean;
  readonly seams: Seams;
  /** Some of what was asked for failed: the result is printed all the same, and the exit code is that of a failure. */
  readonly incomplete: () => void;
}
