import { randomUUID } from "node:crypto";
import type { SandboxPicture } from "../checks.ts";
import type { AnnotationRow } from "./csv.ts";
import type { RemoSwitches } from "./switches.ts";
import type { AnnotationSet, Dataset, RemoWorld, StoredPicture } from "./world.ts";

/** A file as an upload brought it. `error`: the server would not read it; HTTP says nothing of that. */
export type SessionFile =
  | { readonly kind: "image"; readonly name: string; readonly picture: SandboxPicture; readonly bytes?: Buffer }
  | { readonly kind: "annotations"; readonly name: string; readonly rows: readonly AnnotationRow[] | undefined }
  | { readonly kind: "archive"; readonly name: string }
  | { readonly kind: "refused"; readonly name: string; readonly error: string };

interface Counts {
  pending: number;
  total: number;
  successful: number;
  failed: number;
  readonly errors: { readonly filename: string; readonly errors: readonly string[] }[];
  readonly warnings: { readonly filename: string; readonly warnings: readonly string[] }[];
}

export interface UploadSession {
  readonly id: string;
  readonly dataset: Dataset;
  readonly createdAt: string;
  status: "not complete" | "pending" | "in progress" | "done" | "failed";
  readonly files: SessionFile[];
  set: AnnotationSet | undefined;
  folderId: number | undefined;
  readonly images: Counts;
  readonly annotations: Counts;
  readonly errors: object[];
  polls: number;
}

const sessionsMax = 5_000;

/** The upload sessions and what becomes of their files once they are complete. */
export class RemoUploadSessions {
  readonly #world: RemoWorld;
  readonly #switches: RemoSwitches;
  readonly #sessions = new Map<string, UploadSession>();
  /** Called with every set and picture whose annotations a session has changed. */
  readonly #onAnnotated: (set: AnnotationSet, picture: StoredPicture) => void;

  constructor(
    world: RemoWorld,
    switches: RemoSwitches,
    onAnnotated: (set: AnnotationSet, picture: StoredPicture) => void,
  ) {
    this.#world = world;
    this.#switches = switches;
    this.#onAnnotated = onAnnotated;
  }

  open(dataset: Dataset): UploadSession {
    const session: UploadSession = {
      id: randomUUID(),
      dataset,
      createdAt: new Date().toISOString(),
      status: this.#switches.completedAtOnce ? "pending" : "not complete",
      files: [],
      set: undefined,
      folderId: undefined,
      images: counts(),
      annotations: counts(),
      errors: [],
      polls: 0,
    };
    this.#sessions.set(session.id, session);
    const [oldest] = this.#sessions.keys();
    if (this.#sessions.size > sessionsMax && oldest !== undefined) this.#sessions.delete(oldest);
    return session;
  }

  get(id: string): UploadSession | undefined {
    return this.#sessions.get(id);
  }

  list(): readonly UploadSession[] {
    return [...this.#sessions.values()];
  }

  /** All of them, as if the server had lost its database. */
  lose(): void {
    this.#sessions.clear();
  }

  /** One look at the status: sessions move on as they are looked at. */
  poll(session: UploadSession): void {
    const { pendingPolls, progressPolls, neverFinishes } = this.#switches;
    if (session.status === "pending" && session.polls >= pendingPolls) {
      session.status = "in progress";
      session.polls = 0;
    }
    if (session.status === "in progress" && session.polls >= progressPolls && !neverFinishes) this.process(session);
    session.polls += 1;
  }

  process(session: UploadSession): void {
    const { images, annotations, errors, files } = session;
    for (const file of files) if (file.kind !== "annotations") this.#takeIn(session, file);
    for (const file of files) if (file.kind === "annotations") this.#annotate(session, file);
    const { sessionError, doneWithFailed } = this.#switches;
    if (sessionError !== undefined) errors.push({ type: "error", error: sessionError });
    const bad = errors.length + images.errors.length + annotations.errors.length > 0;
    session.status = bad && !doneWithFailed ? "failed" : "done";
  }

  #takeIn(session: UploadSession, file: Exclude<SessionFile, { kind: "annotations" }>): void {
    const { images, dataset } = session;
    const { failing, vanishing, duplicates } = this.#switches;
    if (file.kind === "archive") return;
    images.total += 1;
    if (file.kind === "image" && vanishing.has(file.name)) return;
    const error = file.kind === "refused" ? file.error : failing.get(file.name);
    if (error !== undefined) {
      images.failed += 1;
      images.errors.push({ filename: file.name, errors: [error] });
      return;
    }
    images.successful += 1;
    if (file.kind === "refused") return;
    if (duplicates === "skipped" && this.#world.pictureNamed(dataset.id, file.name) !== undefined) {
      images.errors.push({ filename: file.name, errors: ["not added (Duplicated image)"] });
      return;
    }
    const place = { datasetId: dataset.id, folderId: session.folderId, name: file.name };
    this.#world.addPicture(place, file.picture, file.bytes);
  }

  #annotate(session: UploadSession, file: Extract<SessionFile, { kind: "annotations" }>): void {
    const { annotations, dataset, set } = session;
    annotations.total += 1;
    const { annotationsError } = this.#switches;
    if (annotationsError !== undefined) {
      annotations.failed += 1;
      annotations.errors.push({ filename: file.name, errors: [annotationsError] });
      return;
    }
    if (file.rows === undefined || set === undefined) {
      annotations.warnings.push({ filename: file.name, warnings: ["no annotation task: not read"] });
      return;
    }
    const missing = new Set<string>();
    const touched = new Set<StoredPicture>();
    for (const row of file.rows) {
      const picture = this.#world.pictureNamed(dataset.id, row.fileName);
      if (picture === undefined) missing.add(row.fileName);
      else {
        this.#world.annotate(set, picture, row);
        touched.add(picture);
      }
    }
    if (missing.size > 0) {
      const text = `Annotations without matching image. Annotation file '${file.name}' has annotations for ${[...missing].join(", ")}, which can't be found in the dataset.`;
      annotations.errors.push({ filename: file.name, errors: [text] });
    }
    if (touched.size > 0) annotations.successful += 1;
    else annotations.failed += 1;
    for (const picture of touched) this.#onAnnotated(set, picture);
  }
}

function counts(): Counts {
  return { pending: 0, total: 0, successful: 0, failed: 0, errors: [], warnings: [] };
}
