import { link, lstat, mkdir, readdir, readFile, rename, rm, rmdir } from "node:fs/promises";
import { dirname, join, parse, relative } from "node:path";
import { errnoOf } from "../../core/errors.ts";
import { isAlive } from "../stream/process-group.ts";

/**
 * Pictures that were taken out of a watched folder and are not dealt with yet. They lie in a folder of the one who took
 * them, named after the process, so that nobody takes what another is working on, and so that what a dead process has
 * left is known and goes back. A rename claims, on the same file system: of two who want a file, one gets it. Names are
 * paths relative to the watched folder; the folders they lie in are made here, too.
 *
 * The last one leaves an empty folder behind, which the next one renames: no folder can be made on a full disk, and a
 * disk that is full of uploads is emptied by nobody else.
 */
export class Claims {
  readonly #path: string;
  readonly #everybodys: string;
  readonly #spare: string;
  #own: string | undefined;

  /** `path` is the watched folder. */
  constructor(path: string) {
    this.#path = path;
    this.#everybodys = join(path, ".framepost-claimed");
    this.#spare = join(this.#everybodys, "spare");
  }

  /** What this one and dead processes have left goes back into the watched folder first. */
  async open(): Promise<void> {
    await this.close();
    await mkdir(this.#everybodys, { mode: 0o700 }).catch(async (error: unknown) => {
      // A link would put the pictures wherever an uploader wants them.
      const there = await lstat(this.#everybodys).catch(() => undefined);
      if (there?.isDirectory() !== true) throw error;
    });
    const begun = (await beginOf(process.pid)) ?? "0";
    const own = join(this.#everybodys, `${process.pid}-${begun}-${(opened += 1)}`);
    for (const name of await readdir(this.#everybodys)) {
      const isOurs = name.startsWith(`${process.pid}-${begun}-`);
      // Of this process are also those of a disk that was pulled out, and is back.
      const isAbandoned = isOurs ? !inUse.has(join(this.#everybodys, name)) : await isDeadOnes(name);
      if (isAbandoned) await this.#inherit(own, name);
    }
    await rename(this.#spare, own).catch(() => mkdir(own, { mode: 0o700 }));
    this.#own = own;
    inUse.add(own);
  }

  /** Puts everything back that is still claimed. */
  async close(): Promise<void> {
    if (this.#own === undefined) return;
    await this.#giveBack(this.#own);
    inUse.delete(this.#own);
    this.#own = undefined;
  }

  /** True when the claim is ours to keep; false when the file is gone, because somebody else took it. */
  async take(name: string): Promise<boolean> {
    try {
      for (const folder of foldersOf(name).reverse()) await mkdir(this.placeOf(folder)).catch(unlessThere);
      await rename(join(this.#path, name), this.placeOf(name));
      return true;
    } catch (error) {
      // The folder of the claims may be what is missing: then every claim would fail for as long as this runs.
      if (errnoOf(error) === "ENOENT" && (await this.isOpen())) return false;
      throw error;
    }
  }

  async isOpen(): Promise<boolean> {
    return this.#own !== undefined && exists(this.#own);
  }

  placeOf(name: string): string {
    return join(this.#own ?? join(this.#everybodys, "closed"), name);
  }

  /** The picture is dealt with. */
  async finish(name: string): Promise<void> {
    await rm(this.placeOf(name), { force: true });
    await this.#removeFoldersOf(name);
  }

  async putBack(name: string): Promise<void> {
    await this.#restore(this.placeOf(name), name);
    await this.#removeFoldersOf(name);
  }

  async #removeFoldersOf(name: string): Promise<void> {
    for (const folder of foldersOf(name)) await rmdir(this.placeOf(folder)).catch(() => undefined);
  }

  /** The rename makes sure that of two who find a dead one's folder, one empties it. What fails is left for another start. */
  async #inherit(own: string, name: string): Promise<void> {
    const mine = `${own}.${name.slice(0, 100)}`;
    await rename(join(this.#everybodys, name), mine)
      .then(async () => this.#giveBack(mine))
      .catch(() => undefined);
  }

  async #giveBack(folder: string): Promise<void> {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch((error: unknown) => {
      if (errnoOf(error) === "ENOENT") return [];
      throw error;
    });
    const folders = entries.filter((entry) => entry.isDirectory());
    for (const entry of entries.filter((candidate) => !candidate.isDirectory())) {
      const file = join(entry.parentPath, entry.name);
      await this.#restore(file, relative(folder, file));
    }
    // Children first; a folder that is not empty stays, whatever is in it.
    for (const { parentPath, name } of folders.reverse()) await rmdir(join(parentPath, name)).catch(() => undefined);
    await rename(folder, this.#spare).catch(() => rmdir(folder).catch(() => undefined));
  }

  /** Under its own name, or under a free one where an uploader has used that name again. */
  async #restore(claimed: string, name: string): Promise<void> {
    const parent = join(this.#path, dirname(name));
    // Its folder may have been removed when it was the last file in it.
    if (dirname(name) !== ".") await mkdir(parent, { recursive: true });
    if (await hasMoved(claimed, join(this.#path, name))) return;
    const { name: stem, ext } = parse(name);
    const short = stem.replace(/~\d+$/, "").slice(0, stemCharsMax);
    for (let copy = 1; copy <= copiesMax; copy += 1) {
      if (await hasMoved(claimed, join(parent, `${short}~${copy}${ext}`))) return;
    }
    throw new Error(`${copiesMax} files in ${parent} are called ${short}~…${ext}`);
  }
}

/** Tell the claims of one process apart. */
let opened = 0;
const inUse = new Set<string>();
const copiesMax = 1_000;
/** 240 bytes of the 255 that a name may have. */
const stemCharsMax = 60;

/** The folders that a relative path leads through, the innermost first. */
function foldersOf(name: string): string[] {
  const folders: string[] = [];
  for (let folder = dirname(name); folder !== "."; folder = dirname(folder)) folders.push(folder);
  return folders;
}

function unlessThere(error: unknown): void {
  if (errnoOf(error) !== "EEXIST") throw error;
}

/** Never over a file that is there: a link fails where a rename would replace. True also when there is nothing to move. */
async function hasMoved(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    await rm(from, { force: true });
    return true;
  } catch (error) {
    const code = errnoOf(error);
    if (code === "EEXIST") return false;
    if (code === "ENOENT") return true;
  }
  // Some file systems know no links, and some kernels allow none to another user's file.
  if (await exists(to)) return false;
  await rename(from, to);
  return true;
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

/** Process ids are used again, soon in a container: the moment of its begin tells one process from another. */
async function isDeadOnes(name: string): Promise<boolean> {
  const [, pid, begun] = /^(\d{1,10})-(\d+)-/.exec(name) ?? [];
  if (pid === undefined || begun === undefined) return false;
  if ((await beginOf(process.pid)) === undefined) return !isAlive(Number(pid));
  return (await beginOf(Number(pid))) !== begun;
}

/** In clock ticks since the machine's start (proc_pid_stat(5), field 22); undefined where there is no such process. */
async function beginOf(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, "latin1").catch(() => "");
  // The second field, a name in brackets, may hold blanks and brackets itself.
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
}
