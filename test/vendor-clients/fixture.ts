/** What one recorded exchange looks like on disk. The tests compare the agent's own requests in the same form. */

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** A part of a multipart body: text, what JSON it holds, or the size and digest of its bytes. */
export interface RecordedPart {
  readonly name: string;
  readonly filename?: string;
  readonly contentType?: string;
  readonly text?: string;
  readonly jsonText?: Json;
  readonly bytes?: Digest;
}

export interface Digest {
  readonly sizeBytes: number;
  readonly sha256: string;
}

export type RecordedBody =
  | { readonly kind: "none" }
  | { readonly kind: "json"; readonly value: Json }
  | { readonly kind: "text"; readonly value: string }
  | { readonly kind: "form"; readonly fields: readonly (readonly [string, string])[] }
  | { readonly kind: "multipart"; readonly parts: readonly RecordedPart[] }
  | ({ readonly kind: "bytes" } & Digest);

export interface RecordedRequest {
  readonly method: string;
  /** As it stood on the wire, without the query. */
  readonly path: string;
  /** Decoded, in the order in which they were sent. */
  readonly query: readonly (readonly [string, string])[];
  readonly headers: Readonly<Record<string, string>>;
  readonly body: RecordedBody;
}

/** `photo` names a picture beside the fixtures; `<server>` in a text stands for the address of the server. */
export type AnswerBody =
  | { readonly kind: "none" }
  | { readonly kind: "json"; readonly value: Json }
  | { readonly kind: "text"; readonly value: string }
  | { readonly kind: "photo"; readonly name: string };

export interface RecordedAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: AnswerBody;
}

export interface Exchange {
  readonly request: RecordedRequest;
  readonly answer: RecordedAnswer;
}

export interface Fixture {
  readonly client: string;
  readonly language: "python" | "javascript";
  /** The call as a person would write it. */
  readonly call: string;
  readonly operation: string;
  readonly input: Json;
  /** What the client returned or raised. */
  readonly result?: Json;
  readonly exchanges: readonly Exchange[];
}
