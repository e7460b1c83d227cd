/** A line of the log for the eyes of a person: `10:15:02 warn  camera.lost camera=front the program has ended (CODE)`. */

const colours: Readonly<Record<string, string>> = {
  debug: "\x1b[2m",
  info: "\x1b[36m",
  warn: "\x1b[33m",
  error: "\x1b[31m",
};
const [bold, dim, plain] = ["\x1b[1m", "\x1b[2m", "\x1b[0m"];

/** `json`: as the log has it, masked already. What is none is shown as it is. */
export function terminalLine(json: string, coloured: boolean): string {
  const line = parsed(json);
  if (line === undefined) return shown(json.trimEnd());
  const { time, level = "", event, code, message, error, ...fields } = line;
  const paint = (colour: string, text: string) => (coloured && text !== "" ? `${colour}${text}${plain}` : text);
  const words = textOf(message ?? error);
  // Of an error as a whole its text is enough here; the journal has the rest.
  const inError = typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
  const why = [words, codeOf(code ?? inError)].filter((part) => part !== "").join(" ");
  const rest = Object.entries(fields).map(([name, value]) => `${name}=${valueOf(value)}`);
  return [
    paint(dim, timeOf(time)),
    paint(colours[String(level)] ?? "", String(level).padEnd(5)),
    paint(bold, shown(textOf(event))),
    ...(rest.length === 0 ? [] : [paint(dim, rest.join(" "))]),
    ...(why === "" ? [] : [shown(why)]),
  ].join(" ");
}

function parsed(json: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : undefined;
  } catch {
    return undefined;
  }
}

/** In the time zone of whoever looks. */
function timeOf(time: unknown): string {
  const at = new Date(String(time));
  return Number.isNaN(at.getTime()) ? "" : at.toTimeString().slice(0, 8);
}

function textOf(value: unknown): string {
  if (typeof value === "object" && value !== null && "message" in value) return textOf(value.message);
  return typeof value === "string" ? value : value === undefined ? "" : JSON.stringify(value);
}

function codeOf(code: unknown): string {
  return code === undefined ? "" : `(${textOf(code)})`;
}

function valueOf(value: unknown): string {
  return typeof value === "string" && /^[\w.:/@%+-]+$/.test(value) ? value : shown(JSON.stringify(value));
}

/** A foreign text must not steer the terminal. */
function shown(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}]+/gu, " ");
}
