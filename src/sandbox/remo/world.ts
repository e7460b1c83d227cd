import type { SandboxPicture } from "../checks.ts";
import { asKept, taskNames, type AnnotationRow, type RemoTaskName } from "./csv.ts";

/** What the stand-in's disk holds. Pictures are kept up to a bound, so that they can be fetched again. */

export interface Dataset {
  readonly id: number;
  readonly name: string;
  readonly isPublic: boolean;
  readonly isArchived: boolean;
}

export interface Folder {
  readonly id: number;
  readonly datasetId: number;
  readonly name: string;
}

export interface AnnotationSet {
  readonly id: number;
  name: string;
  readonly task: RemoTaskName;
  readonly datasetId: number;
  readonly classIds: Set<number>;
  readonly tags: { readonly tagId: number; readonly imageId: number }[];
  /** By image. */
  readonly annotations: Map<number, AnnotationRow[]>;
}

export interface StoredPicture extends SandboxPicture {
  readonly id: number;
  readonly name: string;
  readonly datasetId: number;
  readonly folderId: number | undefined;
}

const keptBytesMax = 64 * 1024 * 1024;

export class RemoWorld {
  readonly datasets = new Map<number, Dataset>();
  readonly folders = new Map<number, Folder>();
  readonly sets = new Map<number, AnnotationSet>();
  readonly pictures = new Map<number, StoredPicture>();
  /** Names of classes and tags are shared by all sets. */
  readonly classes = new Map<number, string>();
  readonly tags = new Map<number, string>();
  readonly #byName = new Map<string, StoredPicture>();
  readonly #bytes = new Map<number, Buffer>();
  #keptBytes = 0;
  #ids = 0;

  addDataset(name: string, { isPublic = false, isArchived = false } = {}): Dataset {
    const dataset = { id: this.#nextId(), name, isPublic, isArchived };
    this.datasets.set(dataset.id, dataset);
    return dataset;
  }

  addFolder(datasetId: number, name: string): Folder {
    const folder = { id: this.#nextId(), datasetId, name };
    this.folders.set(folder.id, folder);
    return folder;
  }

  addSet(datasetId: number, name: string, task: RemoTaskName, classes: readonly string[] = []): AnnotationSet {
    const classIds = new Set(classes.map((each) => this.classId(each)));
    const set = { id: this.#nextId(), name, task, datasetId, classIds, tags: [], annotations: new Map() };
    this.sets.set(set.id, set);
    return set;
  }

  setsOf(datasetId: number): readonly AnnotationSet[] {
    return [...this.sets.values()].filter((set) => set.datasetId === datasetId);
  }

  taskNumber(task: RemoTaskName): number {
    return taskNames.indexOf(task) + 1;
  }

  /** Of the class with this name, which is made where there is none. */
  classId(name: string): number {
    return this.#idIn(this.classes, asKept(name));
  }

  tagId(name: string): number {
    return this.#idIn(this.tags, name.trim());
  }

  pictureNamed(datasetId: number, name: string): StoredPicture | undefined {
    return this.#byName.get(`${datasetId}/${name}`);
  }

  addPicture(
    place: { readonly datasetId: number; readonly folderId: number | undefined; readonly name: string },
    picture: SandboxPicture,
    bytes: Buffer | undefined,
  ): StoredPicture {
    const stored = { ...place, ...picture, id: this.#nextId() };
    this.pictures.set(stored.id, stored);
    this.#byName.set(`${place.datasetId}/${place.name}`, stored);
    if (bytes !== undefined && this.#keptBytes + bytes.length <= keptBytesMax) {
      this.#bytes.set(stored.id, bytes);
      this.#keptBytes += bytes.length;
    }
    return stored;
  }

  bytesOf(pictureId: number): Buffer | undefined {
    return this.#bytes.get(pictureId);
  }

  /** An object of equal place is there already: its classes are joined, and no second one is made. */
  annotate(set: AnnotationSet, picture: StoredPicture, row: AnnotationRow): void {
    for (const name of row.classes) set.classIds.add(this.classId(name));
    const rows = set.annotations.get(picture.id) ?? [];
    const place = JSON.stringify(row.points);
    const at = rows.findIndex(({ points }) => JSON.stringify(points) === place);
    const before = rows[at];
    if (before === undefined) rows.push(row);
    else rows[at] = { ...before, classes: [...new Set([...before.classes, ...row.classes])] };
    set.annotations.set(picture.id, rows);
  }

  #idIn(names: Map<number, string>, name: string): number {
    for (const [id, known] of names) if (known === name) return id;
    const id = this.#nextId();
    names.set(id, name);
    return id;
  }

  #nextId(): number {
    this.#ids += 1;
    return this.#ids;
  }
}
