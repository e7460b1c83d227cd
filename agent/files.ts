import { access, mkdir, readFile, writeFile } from "node:fs/promises";
import { AgentError, errnoOf, messageOf } from "../src/core/errors.ts";

/** Why a file could not be read or written, in words that do not name it again. */
export function fileProblem(error: unknown): string {
  switch (errnoOf(error)) {
    case "ENOENT":
      return "there is no such file or folder";
    case "EACCES":
    case "EPERM":
      return "permission denied";
    case "ENOTDIR":
    case "EEXIST":
      return "a part of its path is a file, not a folder";
    case "EISDIR":
      return "it is a folder";
    case "EROFS":
      return "the disk is read-only";
    case "ENOSPC":
      return "the disk is full";
    default:
      return messageOf(error);
  }
}

export async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}

/** One line about a file that failed, which names it once. */
export function aboutFile(file: string, { code, message }: AgentError): string {
  return `${message.includes(file) ? "" : `${file}: `}${message} (${code})`;
}

/** Fails with `USAGE_PATH`. */
export async function readPicture(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    throw new AgentError("USAGE_PATH", `cannot read ${file}: ${fileProblem(error)}`, {
      disposition: "fatal",
      cause: error,
    });
  }
}

/** For what a person asked to have written somewhere. Fails with `OUTPUT_FAILED`. */
export async function writeOutput(file: string, content: Buffer | string): Promise<void> {
  await writeFile(file, content).catch((error: unknown) => {
    throw outputFailed(`cannot write ${file}`, error);
  });
}

/** The folder and those above it. Fails with `OUTPUT_FAILED`. */
export async function makeOutputFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true }).catch((error: unknown) => {
    throw outputFailed(`cannot make the folder ${folder}`, error);
  });
}

function outputFailed(attempted: string, cause: unknown): AgentError {
  return new AgentError("OUTPUT_FAILED", `${attempted}: ${fileProblem(cause)}`, { disposition: "fatal", cause });
}
