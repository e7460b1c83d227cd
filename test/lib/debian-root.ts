import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { repositoryFolder } from "./shared.ts";
import { runProgram } from "./shell.ts";
import { UnitFile } from "./unit-file.ts";

const withinMs = 10 * 60_000;
/** Gone with the last process of their namespace. */
const ownMounts = 'mount --bind "$0" "$0" && mount -t proc proc "$0/proc"';
const runner = "usr/local/lib/unit-runner.py";

/** A Debian of its own in a folder, made by debootstrap from the archive that this machine uses. Needs root. */
export class DebianRoot implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), "framepost-debian-"));
  readonly #endWithUs = (): void => this[Symbol.dispose]();

  constructor(suite: string) {
    // Before the folder that this lies in is removed.
    process.prependOnceListener("exit", this.#endWithUs);
    try {
      this.#long("debootstrap", "--variant=minbase", suite, this.path, archiveOf());
      // Made for us alone, and / is everybody's.
      chmodSync(this.path, 0o755);
      for (const name of ["resolv.conf", "hosts"]) cpSync(`/etc/${name}`, this.in("etc", name), { dereference: true });
      // The machine's own way to the archive.
      for (const name of readdirSync("/etc/apt/apt.conf.d").filter((each) => /proxy/i.test(each))) {
        cpSync(join("/etc/apt/apt.conf.d", name), this.in("etc/apt/apt.conf.d", name));
      }
      this.write("usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", 0o755);
      mkdirSync(this.in("usr/local/lib"), { recursive: true });
      cpSync(join(repositoryFolder, "test/lib/unit-runner.py"), this.in(runner));
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  in(...path: readonly string[]): string {
    return join(this.path, ...path);
  }

  has(path: string): boolean {
    return existsSync(this.in(path));
  }

  write(path: string, text: string, mode = 0o644): void {
    writeFileSync(this.in(path), text, { mode });
  }

  /** Runs a program inside to its end, with its own /proc; throws with what it said when it fails. */
  run(...words: readonly string[]): string {
    const inside = `${ownMounts} && exec chroot "$0" "$@"`;
    return this.#long("unshare", "--mount", "sh", "-c", inside, this.path, ...words);
  }

  apt(...words: readonly string[]): string {
    const quiet = ["-qq", "-y", "--no-install-recommends", "-o", "DPkg::Use-Pty=0", "-o", "APT::Sandbox::User=root"];
    return this.run("env", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C", "apt-get", ...quiet, ...words);
  }

  /** The unit's own command line as its own user, under its filter. */
  startUnit(path: string): ChildProcess {
    const unit = new UnitFile(readFileSync(this.in(path), "utf8"));
    const user = unit.one("User");
    const home = join("/var/lib", unit.one("StateDirectory"));
    const said = {
      command: unit.one("ExecStart").split(/\s+/),
      user,
      groups: [user, ...unit.list("SupplementaryGroups")],
      umask: unit.one("UMask", "0022"),
      filter: unit.list("SystemCallFilter"),
      writable: [home],
      environment: {
        PATH: "/usr/local/bin:/usr/bin:/bin",
        HOME: home,
        USER: user,
        STATE_DIRECTORY: home,
        LANG: "C.UTF-8",
      },
    };
    // Every program on the way becomes the next one, so that the child is the service.
    const inside = `${ownMounts} && exec chroot "$0" python3 /${runner} "$1"`;
    const words = ["--mount", "sh", "-c", inside, this.path, JSON.stringify(said)];
    return spawn("unshare", words, { stdio: ["ignore", "pipe", "pipe"] });
  }

  [Symbol.dispose](): void {
    process.removeListener("exit", this.#endWithUs);
    // Mounts lived in namespaces of their own, but for one that debootstrap may have left when it was cut short.
    for (const name of ["proc", "sys"]) spawnSync("umount", ["--lazy", this.in(name)], { stdio: "ignore" });
    rmSync(this.path, { recursive: true, force: true, maxRetries: 3 });
  }

  #long(program: string, ...words: readonly string[]): string {
    const { status, stdout, stderr, error } = spawnSync(program, words, { encoding: "utf8", timeout: withinMs });
    if (error !== undefined) throw error;
    if (status !== 0)
      throw new Error(`${program} ${words.slice(-6).join(" ")}:\n${stdout.slice(-1_500)}${stderr.slice(-1_500)}`);
    return stdout;
  }
}

/** Why this machine cannot do it; undefined where it can. */
export function debianRootTrouble(): string | undefined {
  if (process.getuid?.() !== 0) return "needs root";
  for (const program of ["debootstrap", "dpkg-deb", "unshare"]) {
    if (spawnSync("sh", ["-c", `command -v ${program}`]).status !== 0) return `needs ${program}`;
  }
  try {
    archiveOf();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Where this machine gets Debian from; Debian's own archive has a name that needs no look-up. */
function archiveOf(): string {
  const text = runProgram("apt-get", "indextargets", "--format", "$(REPO_URI) $(ORIGIN)");
  const lines = text.split("\n").map((line) => line.split(" "));
  const archive = lines.find(([uri = "", origin]) => origin === "Debian" && !uri.includes("security"))?.[0];
  if (archive === undefined) throw new Error("needs a Debian archive in /etc/apt");
  return archive;
}
