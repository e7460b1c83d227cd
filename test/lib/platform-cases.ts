import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Writable } from "node:stream";
import { after, before, describe, it } from "mocha";
import { errorLines, exitCodeOf } from "../../agent/exit-codes.ts";
import { eachPlatform } from "../../agent/platforms/platforms.ts";
import type { Operation } from "../../agent/platforms/platform.ts";
import { runCommandLine } from "../../agent/program.ts";
import { Terminal } from "../../agent/terminal.ts";
import { SystemClock } from "../../src/core/clock.ts";
import { platformSection, replaceSection } from "./platform-table.ts";
import { repositoryFolder } from "./shared.ts";
import { tempFolder } from "./temp.ts";

/** A platform's stand-in and how the command line reaches it. */
export interface PlatformBench extends AsyncDisposable {
  /** `FRAMEPOST_<KIND>_…`. */
  readonly environment: Readonly<Record<string, string>>;
  /** Must not be printed by anything. */
  readonly secrets: readonly string[];
}

export interface PlatformCase<Bench> {
  readonly operation: string;
  /** What the case shows, for its title. */
  readonly shows: string;
  /** Arguments and options. `folder` is a temporary one that the suite owns. */
  readonly words: (bench: Bench, folder: string) => readonly string[] | Promise<readonly string[]>;
  /** 0 when absent; 1 where some of what was asked for fails, which a script has to notice. */
  readonly exitCode?: number;
  /** Of the JSON result, and of what the sandbox has. A case without an assertion shows nothing. */
  readonly check: (result: unknown, bench: Bench, folder: string) => void | Promise<void>;
}

export interface CommandRun {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The command line inside the test process: hundreds of commands take a second instead of minutes. */
export async function commandLine(
  words: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<CommandRun> {
  let [stdout, stderr] = ["", ""];
  const clock = new SystemClock();
  const collect = (add: (text: string) => void) =>
    new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        add(chunk.toString());
        done();
      },
    });
  const terminal = new Terminal(
    collect((text) => (stdout += text)),
    collect((text) => (stderr += text)),
    clock,
  );
  const signal = new AbortController().signal;
  const hide = (secrets: readonly string[]): void => terminal.hide(secrets);
  try {
    const code = await runCommandLine(words, { terminal, clock, random: Math.random, environment, signal, hide });
    return { code, stdout, stderr };
  } catch (error) {
    for (const line of errorLines(error)) terminal.note(line);
    return { code: exitCodeOf(error), stdout, stderr };
  }
}

/**
 * Runs every case from the command line against the sandbox, and demands that each operation and each option of the
 * platform has one. Its section of `docs/platforms.md` is made of this; `FRAMEPOST_WRITE_DOCS=1` writes it.
 */
export function platformSuite<Bench extends PlatformBench>(
  kind: string,
  make: () => Promise<Bench>,
  cases: readonly PlatformCase<Bench>[],
): void {
  describe(`framepost platform ${kind}`, () => {
    let bench: Bench;
    let folder = "";
    let temp: AsyncDisposable | undefined;
    const passed = new Map<string, string[][]>();

    before(async () => {
      const made = await tempFolder();
      [temp, folder] = [made, made.path];
      bench = await make();
    });
    after(async () => {
      await bench[Symbol.asyncDispose]();
      await temp?.[Symbol.asyncDispose]();
    });

    for (const { operation, shows, words, exitCode = 0, check } of cases) {
      it(`${operation}: ${shows}`, async () => {
        const given = await words(bench, folder);
        const run = await commandLine(["platform", kind, operation, ...given, "--json"], bench.environment);
        assert.equal(run.code, exitCode, run.stderr);
        for (const secret of bench.secrets) assert.ok(!(run.stdout + run.stderr).includes(secret), "a secret is shown");
        await check(JSON.parse(run.stdout.trim().split("\n").at(-1) ?? ""), bench, folder);
        passed.set(operation, [...(passed.get(operation) ?? []), [...given]]);
      });
    }

    it("has a case for every operation and option, and its table in docs/platforms.md says so", async function () {
      const wanted = new Set(cases.map(({ operation }) => operation));
      if (passed.size < wanted.size) this.skip();
      const { title, operations } = platformOf(kind);
      const untried = operations.flatMap((operation) => untriedOf(operation, passed.get(operation.name)));
      assert.deepEqual(untried, []);
      const section = platformSection(kind, title, operations, passed);
      const file = join(repositoryFolder, "docs", "platforms.md");
      const text = await readFile(file, "utf8");
      const updated = replaceSection(text, kind, section);
      if (process.env["FRAMEPOST_WRITE_DOCS"] === "1") await writeFile(file, updated);
      else assert.equal(text, updated, "write it with FRAMEPOST_WRITE_DOCS=1");
    });
  });
}

function platformOf(kind: string): { readonly title: string; readonly operations: readonly Operation<never>[] } {
  const found: { title: string; operations: readonly Operation<never>[] }[] = [];
  eachPlatform((platform) => {
    if (platform.kind === kind) found.push(platform);
  });
  return found[0] ?? assert.fail(`no platform ${kind}`);
}

function untriedOf({ name, options = [] }: Operation<never>, runs: readonly string[][] | undefined): readonly string[] {
  if (runs === undefined) return [name];
  const given = new Set(runs.flat());
  return options.flatMap(({ flags }) => {
    const long = /--[a-z0-9-]+/.exec(flags)?.[0] ?? flags;
    return given.has(long) ? [] : [`${name} ${long}`];
  });
}
