import { link, lstat, mkdir, mkdtemp, readdir, readFile, rename, rm, rmdir } from "node:fs/promises";
import { join, parse } from "node:path";
import { errnoOf } from "../../core/errors.ts";
import { isAlive } from "../stream/process-group.ts";

/**
 * Pictures that were taken out of a watched folder and are not dealt with yet. They lie in a folder of the one who took
 * them, named after the process, so that nobody takes what another is working on, and so that what a dead process has
 * left is known and goes back. A rename claims, on the same file system: of two who want a file, one gets it.
 */
export class Claims {
  readonly #path: string;
  readonly #everybodys: string;
  #own: string | undefined;

  /** `path` is the watched folder. */
  constructor(path: string) {
    this.#path = path;
    this.#everybodys = join(path, ".framepost-claimed");
  }

  /** What this one and dead processes have left goes back into the watched folder first. */
  async open(): Promise<void> {
    await this.close();
    await mkdir(this.#everybodys, { mode: 0o700 }).catch(async (error: unknown) => {
      // A link would put the pictures wherever an uploader wants them.
      if (!(await lstat(this.#everybodys)).isDirectory()) throw error;
    });
    const begun = (await beginOf(process.pid)) ?? "0";
    const own = await mkdtemp(join(this.#everybodys, `${process.pid}-${begun}-`));
    this.#own = own;
    for (const name of await readdir(this.#everybodys)) {
      if (await isDeadOnes(name)) await this.#inherit(own, name);
    }
  }

  /** Puts everything back that is still claimed. */
  async close(): Promise<void> {
    if (this.#own === undefined) return;
    await this.#giveBack(this.#own);
    this.#own = undefined;
    // Only the last one finds it empty.
    await rmdir(this.#everybodys).catch(() => undefined);
  }

  /** True when the claim is ours to keep; false when the file is gone, because somebody else took it. */
  async take(name: string): Promise<boolean> {
    try {
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
  }

  async putBack(name: string): Promise<void> {
    await this.#restore(this.placeOf(name), name);
  }

  /** The rename makes sure that of two who find a dead one's folder, one empties it. What fails is left for another start. */
  async #inherit(own: string, name: string): Promise<void> {
    const mine = `${own}.${name.slice(0, 100)}`;
    await rename(join(this.#everybodys, name), mine)
      .then(async () => this.#giveBack(mine))
      .catch(() => undefined);
  }

  async #giveBack(folder: string): Promise<void> {
    const names = await readdir(folder).catch((error: unknown) => {
      if (errnoOf(error) === "ENOENT") return [];
      throw error;
    });
    for (const name of names) await this.#restore(join(folder, name), name);
    await rmdir(folder).catch(() => undefined);
  }

  /** Under its own name, or under a free one where an uploader has used that name again. */
  async #restore(claimed: string, name: string): Promise<void> {
    if (await hasMoved(claimed, join(this.#path, name))) return;
    const { name: stem, ext } = parse(name);
    const short = stem.replace(/~\d+$/, "").slice(0, stemCharsMax);
    for (let copy = 1; copy <= copiesMax; copy += 1) {
      if (await hasMoved(claimed, join(this.#path, `${short}~${copy}${ext}`))) return;
    }
    throw new Error(`${copiesMax} files in ${this.#path} are called ${short}~…${ext}`);
  }
}

const copiesMax = 1_000;
/** 240 bytes of the 255 that a name may have. */
const stemCharsMax = 60;

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
