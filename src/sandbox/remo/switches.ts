/** How the stand-in behaves where servers differ or misbehave. Changed by tests while it runs. */
export interface RemoSwitches {
  /** Looks at a session's status before it moves on: from `pending`, and from `in progress`. */
  pendingPolls: number;
  progressPolls: number;
  neverFinishes: boolean;
  /** The next so many statuses are an empty object. */
  emptyStatuses: number;
  /** `done` although files failed, as old servers said; new ones say `failed` as soon as one file has an error. */
  doneWithFailed: boolean;
  /** A file name that the dataset has: new servers pass over it, old ones keep both. */
  duplicates: "skipped" | "kept";
  /** An upload to a session that has been completed: refused, or taken with 200 and dropped, as server 0.6.1 does. */
  completedSession: "refused" | "dropped";
  /** A session counts as complete from the start, as if somebody else had completed it. */
  completedAtOnce: boolean;
  /** `before-sessions`: what is uploaded is worked through at once, and there is nothing to open. */
  generation: "sessions" | "before-sessions";
  nextPages: "relative" | "absolute" | "foreign";
  pageSize: number;
  /** A zip although no tags were asked for. */
  zipAlways: boolean;
  /** The server is on another machine: no path of this one exists there. */
  remote: boolean;
  /** Images that the server cannot read, with its text, by file name. */
  readonly failing: Map<string, string>;
  /** Images that go without a trace. */
  readonly vanishing: Set<string>;
  /** The server's text about every annotation file. */
  annotationsError: string | undefined;
  /** The server's text about every session. */
  sessionError: string | undefined;
}

export function defaultSwitches(): RemoSwitches {
  return {
    pendingPolls: 1,
    progressPolls: 1,
    neverFinishes: false,
    emptyStatuses: 0,
    doneWithFailed: false,
    duplicates: "skipped",
    completedSession: "refused",
    completedAtOnce: false,
    generation: "sessions",
    nextPages: "relative",
    pageSize: 32,
    zipAlways: false,
    remote: false,
    failing: new Map(),
    vanishing: new Set(),
    annotationsError: undefined,
    sessionError: undefined,
  };
}
