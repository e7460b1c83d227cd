import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { errnoOf } from "../../src/core/errors.ts";
import { until } from "./poll.ts";
import { tempFolder } from "./temp.ts";

/**
 * Executables that stand in for camera programs: shell scripts that replay recorded pictures, or fail in the ways that
 * programs do. `$dir` is the folder they share; a run notes its process id and its arguments there.
 */
export class CameraStandIns implements AsyncDisposable {
  readonly path: string;
  /** For PATH: nothing else lies in it. */
  readonly programs: string;
  readonly #dispose: () => Promise<void>;
  #searchPathBefore: string | undefined;

  private constructor(path: string, dispose: () => Promise<void>) {
    this.path = path;
    this.programs = join(path, "programs");
    this.#dispose = dispose;
  }

  /** With these pictures as `$dir/picture-00.jpg` and so on. */
  static async make(pictures: readonly Buffer[]): Promise<CameraStandIns> {
    const temp = await tempFolder();
    const made = new CameraStandIns(temp.path, async () => temp[Symbol.asyncDispose]());
    await mkdir(made.programs);
    for (const [position, jpeg] of pictures.entries()) {
      await writeFile(join(temp.path, `picture-${String(position).padStart(2, "0")}.jpg`), jpeg);
    }
    return made;
  }

  /**
   * Puts a program of these lines of shell there, or another in its place for the next run; one that runs, or is just
   * being started, goes on with its own. Answers its path.
   */
  async program(name: string, lines: readonly string[]): Promise<string> {
    const path = join(this.programs, name);
    const head = ["#!/bin/sh", `dir='${this.path}'`, "echo $$ >>$dir/pids", `printf '%s\\n' "$@" >$dir/arguments`];
    await writeFile(`${path}.new`, [...head, ...lines, ""].join("\n"), { mode: 0o755 });
    await rename(`${path}.new`, path);
    return path;
  }

  /** Programs of this folder come before all others, until it is disposed of. */
  precede(): void {
    this.#searchPathBefore ??= process.env["PATH"] ?? "";
    process.env["PATH"] = `${this.programs}${delimiter}${this.#searchPathBefore}`;
  }

  /** Of the last run. */
  async arguments(): Promise<readonly string[]> {
    return (await readFile(join(this.path, "arguments"), "utf8")).split("\n").slice(0, -1);
  }

  /** Process ids of every run and of what it noted, that are still there; ended ones that nobody waited for not counted. */
  async living(): Promise<readonly number[]> {
    const noted = (await readFile(join(this.path, "pids"), "latin1").catch(() => "")).split("\n").filter(Boolean);
    const states = await Promise.all(
      noted.map(async (pid) => readFile(`/proc/${pid}/stat`, "latin1").catch(() => "0 (gone) Z ")),
    );
    return noted.filter((_, position) => !/\) Z /.test(states[position] ?? "")).map(Number);
  }

  async allGone(limitMs = 3_000): Promise<void> {
    await until(async () => (await this.living()).length === 0, "every stand-in to be gone", limitMs);
  }

  /** All that run, and nothing that they started. */
  async kill(): Promise<void> {
    for (const pid of await this.living()) {
      try {
        process.kill(pid, "SIGKILL");
      } catch (error) {
        if (errnoOf(error) !== "ESRCH") throw error;
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#searchPathBefore !== undefined) process.env["PATH"] = this.#searchPathBefore;
    await this.kill();
    await this.#dispose();
  }
}

/** Lines of shell. */
export const acts = {
  /** All pictures, again and again. */
  replay: (everyMs = 40) => [
    `while :; do for picture in $dir/picture-*.jpg; do cat $picture || exit; sleep ${everyMs / 1_000}; done; done`,
  ],
  replayOnce: (everyMs = 20) => [`for picture in $dir/picture-*.jpg; do cat $picture; sleep ${everyMs / 1_000}; done`],
  one: ["cat $dir/picture-00.jpg"],
  /** A picture, then the other half of nothing. */
  half: ["head -c 200 $dir/picture-00.jpg"],
  hang: ["exec sleep 60"],
  rubbish: ["while :; do head -c 65536 /dev/urandom; sleep 0.02; done"],
  /** Heeds no request to end. */
  deaf: ["trap '' INT TERM"],
  /** Leaves a child behind that keeps its output open. */
  outlived: ["sleep 60 & echo $! >>$dir/pids"],
  /** One that is in no group of its parent. */
  strayed: ["setsid sleep 60 & echo $! >>$dir/pids", "sleep 0.05"],
} as const;
