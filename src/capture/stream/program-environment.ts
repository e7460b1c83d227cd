/** All that a camera program gets of our environment, where secrets of the config may stand. */
export const environmentKept: readonly string[] = ["PATH", "HOME", "TMPDIR", "TZ", "LANG", "LC_ALL", "LD_LIBRARY_PATH"];

/** Those of them that are set. */
export function keptEnvironment(): Readonly<Record<string, string>> {
  const kept = environmentKept.flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return Object.fromEntries(kept);
}
