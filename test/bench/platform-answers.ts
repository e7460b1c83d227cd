/** What each platform answers to the requests of an upload, always the same: the least by which its protocol runs. */

export interface FixedAnswer {
  /** `METHOD /path`, without the query. */
  readonly on: RegExp;
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** A text as it is, anything else as JSON. `{origin}` in it becomes the server's own address. */
  readonly body?: unknown;
}

/** Of the deliveries that are sent, always the same. */
export const benchNames: readonly string[] = Array.from({ length: 8 }, (_, at) => `gw-07-aaaa-${at + 1}.jpg`);

export const platformAnswers: Readonly<Record<string, readonly FixedAnswer[]>> = {
  iotown: [{ on: /./, body: { errorCode: 200, errorMsg: "OK" } }],
  onestepai: [
    { on: /SignIn$/, body: "jwt.of.bench" },
    { on: /^POST .*(Categories|StartUploading)$/, body: 1 },
    { on: /./ },
  ],
};

export function answerTo(kind: string, operation: string): FixedAnswer | undefined {
  return platformAnswers[kind]?.find(({ on }) => on.test(operation));
}
