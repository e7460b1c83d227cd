import { AgentError } from "../core/errors.ts";

/** One mistake in a config file, at the place where a person mends it. Lines and columns count from 1. */
export interface ConfigProblem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** Keys and list positions joined by dots; empty for the whole file. */
  readonly path: string;
  /** Never holds the value of a secret. */
  readonly message: string;
}

/** `file:line:column: path: what is wrong`, the form that editors and terminals make clickable. */
export function formatProblem(problem: ConfigProblem): string {
  const place = `${problem.file}:${problem.line}:${problem.column}`;
  return problem.path === "" ? `${place}: ${problem.message}` : `${place}: ${problem.path}: ${problem.message}`;
}

/** More than this is one mistake seen many times; nobody reads on. */
const problemsMax = 50;

/** Every mistake of a config, in the order of the file. Only a person can mend it. */
export class ConfigError extends AgentError {
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[], cause?: unknown) {
    const sorted = inFileOrder(problems).slice(0, problemsMax);
    super("CONFIG_INVALID", summaryOf(sorted, problems.length), { disposition: "fatal", cause });
    this.problems = sorted;
  }
}

/** The same mistakes, the first with what follows from it. */
export function explained({ problems, cause }: ConfigError, consequence: string): ConfigError {
  const [first, ...more] = problems;
  if (first === undefined) return new ConfigError([], cause);
  return new ConfigError([{ ...first, message: `${first.message}; ${consequence}` }, ...more], cause);
}

export function inFileOrder(problems: readonly ConfigProblem[]): readonly ConfigProblem[] {
  return problems.toSorted((a, b) => a.line - b.line || a.column - b.column || (a.path < b.path ? -1 : 1));
}

function summaryOf(problems: readonly ConfigProblem[], total: number): string {
  const first = problems[0];
  if (first === undefined) return "the config cannot be used";
  return total === 1 ? formatProblem(first) : `${formatProblem(first)} (and ${total - 1} more)`;
}
