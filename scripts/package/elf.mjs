// Which machine a binary is for, from its header.
import { closeSync, openSync, readSync } from "node:fs";

/** Debian's names of the machines there are packages for, with npm's name and the ELF number of each. */
export const architectures = {
  amd64: { cpu: "x64", machine: 62 },
  arm64: { cpu: "arm64", machine: 183 },
};

/** `elf` with its machine, `foreign` for a binary of another system, undefined for what is no binary. */
export function binaryOf(path) {
  const header = Buffer.alloc(20);
  const file = openSync(path, "r");
  try {
    if (readSync(file, header, 0, header.length, 0) < header.length) return undefined;
  } finally {
    closeSync(file);
  }
  const magic = header.readUInt32BE(0);
  // Little-endian ELF of 64 bits; any other is for no machine of ours.
  if (magic === 0x7f454c46) {
    const isOurs = header[4] === 2 && header[5] === 1;
    return { kind: "elf", machine: isOurs ? header.readUInt16LE(18) : 0 };
  }
  const isMachO = [0xcffaedfe, 0xcefaedfe, 0xcafebabe, 0xfeedface, 0xfeedfacf].includes(magic);
  const isWindows = header.toString("latin1", 0, 2) === "MZ" && /\.(dll|exe|node)$/i.test(path);
  return isMachO || isWindows ? { kind: "foreign" } : undefined;
}
