const thirtyTwoBit: readonly string[] = ["arm", "ia32", "mips", "mipsel", "ppc", "s390"];

/** Why Framepost cannot run on this kind of processor, for a person; undefined where it can. */
export function systemProblem(architecture: string): string | undefined {
  if (architecture === "x64" || architecture === "arm64") return undefined;
  if (!thirtyTwoBit.includes(architecture)) {
    return `the detector and the buffer have no builds for this processor (${architecture}); there are some for x64 and arm64`;
  }
  const pi = architecture === "arm" ? "; a Raspberry Pi 3 or newer runs the 64-bit Raspberry Pi OS" : "";
  return `it needs a 64-bit system, and this Node.js is one for 32 bits (${architecture})${pi}`;
}
