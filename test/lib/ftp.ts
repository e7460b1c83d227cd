import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Context } from "mocha";
import { missing, needsProgram } from "./programs.ts";
import { repositoryFolder } from "./shared.ts";
import { runProgram } from "./shell.ts";

/** The system's own: a Python of another home sees none of Debian's modules. */
const python = "/usr/bin/python3";

/** Call first in a test that uploads by FTP. */
export function needsFtp(context: Context): void {
  needsProgram(context, "curl", "curl");
  try {
    runProgram(python, "-c", "import pyftpdlib");
  } catch {
    missing(context, "pyftpdlib (Debian package python3-pyftpdlib)");
  }
}

/** A real FTP server over a folder, on a free port. Its address holds a user who may do everything there. */
export async function ftpServer(folder: string): Promise<AsyncDisposable & { readonly url: string }> {
  const script = join(repositoryFolder, "test", "lib", "ftp.py");
  const server = spawn(python, [script, folder], { stdio: ["pipe", "pipe", "ignore"] });
  const ended = once(server, "exit");
  const [port] = (await Promise.race([
    once(createInterface({ input: server.stdout }), "line"),
    ended.then(() => Promise.reject(new Error("the FTP server ended at once"))),
  ])) as [string];
  return {
    url: `ftp://camera:secret@127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.kill("SIGKILL");
      await ended;
    },
  };
}
