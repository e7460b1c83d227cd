// What dependencies bring that a gateway never opens: binaries of other machines, types, tests, maps.
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { architectures, binaryOf } from "./elf.mjs";
import { filesBelow } from "./files.mjs";

const typesOnly = ["@types", "undici-types", ".bin"];
const unneededFiles = /\.(map|ts|cts|mts|tsx|html|sh|lib|pdb)$|(^|\/)\./;
/** Folders that hold tests and examples alone, where a package's own code does not stand. */
const unneededFolders = /^((@[^/]+\/)?[^/]+)\/(tests?|__tests__|docs|examples?|benchmarks?|coverage)\//;

export function prune(modules, architecture) {
  for (const name of typesOnly) rmSync(join(modules, name), { recursive: true, force: true });
  for (const name of packagesIn(modules).filter((each) => isForMusl(join(modules, each)))) {
    rmSync(join(modules, name), { recursive: true });
  }
  const { machine } = architectures[architecture];
  for (const path of filesBelow(modules)) {
    const file = join(modules, path);
    const binary = binaryOf(file);
    const isForeign = binary !== undefined && (binary.kind === "foreign" || binary.machine !== machine);
    if (isForeign || unneededFiles.test(path) || unneededFolders.test(path)) rmSync(file);
  }
  removeEmpty(modules);
  check(modules, machine);
}

/** Both kinds of libc are installed where a package does not say which one it is for. */
function isForMusl(folder) {
  const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  return manifest.libc?.includes("musl") === true || manifest.neon?.abi === "musl";
}

function packagesIn(modules) {
  return readdirSync(modules).flatMap((name) => {
    const names = name.startsWith("@") ? readdirSync(join(modules, name)).map((each) => `${name}/${each}`) : [name];
    return names.filter((each) => existsSync(join(modules, each, "package.json")));
  });
}

/** True when nothing is left of the folder. */
function removeEmpty(folder) {
  let left = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const isGone = entry.isDirectory() && removeEmpty(join(folder, entry.name));
    if (!isGone) left += 1;
  }
  if (left === 0) rmSync(folder, { recursive: true });
  return left === 0;
}

/** The three that have native code must each have theirs, or the package would start and not work. */
function check(modules, machine) {
  const binaries = filesBelow(modules).filter((path) => binaryOf(join(modules, path))?.machine === machine);
  for (const name of ["@libsql/", "@img/", "onnxruntime-node/"]) {
    if (!binaries.some((path) => path.startsWith(name))) throw new Error(`${name} has no binary for this machine`);
  }
}
