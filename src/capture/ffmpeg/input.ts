/** Where ffmpeg reads from; told apart by the form of one text. */
export type FfmpegInput =
  | { readonly kind: "v4l2"; readonly device: string }
  | { readonly kind: "rtsp"; readonly url: string }
  | { readonly kind: "http"; readonly url: string }
  | { readonly kind: "lavfi"; readonly graph: string }
  | { readonly kind: "file"; readonly path: string };

const lavfiPrefix = "lavfi:";

export function inputOf(text: string): FfmpegInput {
  if (text.startsWith("/dev/")) return { kind: "v4l2", device: text };
  if (/^rtsps?:\/\//i.test(text)) return { kind: "rtsp", url: text };
  if (/^https?:\/\//i.test(text)) return { kind: "http", url: text };
  if (text.startsWith(lavfiPrefix)) return { kind: "lavfi", graph: text.slice(lavfiPrefix.length) };
  return { kind: "file", path: text };
}

/** Why this text names no source, as the end of a sentence; undefined when it does. Never repeats what it was given. */
export function inputProblem(text: string): string | undefined {
  if (/[\u0000-\u001f\u007f]/.test(text)) return "expected one line of text";
  const input = inputOf(text);
  switch (input.kind) {
    case "v4l2":
      return /^[A-Za-z0-9_./:+,=@-]+$/.test(text) ? undefined : "expected a device such as /dev/v4l/by-id/…";
    case "rtsp":
    case "http":
      return urlProblem(input.url);
    case "lavfi":
      return input.graph === "" ? "expected a filter graph, for example lavfi:testsrc2=size=1280x720" : undefined;
    case "file":
      return /^[A-Za-z][A-Za-z0-9+.-]*:\/\//.test(text) ? "expected rtsp://, rtsps://, http:// or https://" : undefined;
  }
}

function urlProblem(text: string): string | undefined {
  if (/[\s'"\\]/.test(text) || !URL.canParse(text)) return "expected an address without blanks, quotes and backslashes";
  const { username, password, hostname } = new URL(text);
  if (username !== "" || password !== "") return "write user and password into username and password, not into it";
  return hostname === "" ? "expected a host" : undefined;
}

/** What the source is called in errors: an address up to its first parameter, as which cameras take passwords too. */
export function sourceName(input: FfmpegInput): string {
  switch (input.kind) {
    case "v4l2":
      return input.device;
    case "rtsp":
    case "http":
      return input.url.replace(/[?#&;=].*$/, "");
    case "lavfi":
      return "lavfi";
    case "file":
      return input.path;
  }
}

/** Whether the way to the source is encrypted. */
export function usesTls(input: FfmpegInput): boolean {
  return (input.kind === "rtsp" || input.kind === "http") && /^(?:rtsps|https):/i.test(input.url);
}
