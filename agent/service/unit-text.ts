/** Where the unit's own words stand for what is elsewhere in an installation of npm's. */
export interface UnitPlaces {
  readonly node: string;
  readonly program: string;
  readonly config: string;
}

const packaged = "ExecStart=/usr/bin/framepost run -c /etc/framepost/framepost.yaml";

/** The shipped unit with the paths of this installation. */
export function unitText(shipped: string, { node, program, config }: UnitPlaces): string {
  const words = [node, program, "run", "-c", config].map(quoted).join(" ");
  if (!shipped.includes(packaged)) throw new Error("the unit has no ExecStart of the package");
  return shipped.replace(packaged, () => `ExecStart=${words}`);
}

/** What lies below somebody's home is not there for the service (`ProtectHome`). */
export function hiddenFromService({ node, program, config }: UnitPlaces): string | undefined {
  return [node, program, config].find((path) => /^\/(home|root|run\/user)\//.test(path));
}

/** systemd reads `%` and `$` as its own, and blanks as the end of a word. */
function quoted(word: string): string {
  const escaped = word.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("%", "%%").replaceAll("$", "$$$$");
  return /[\s"'\\;]/.test(word) ? `"${escaped}"` : escaped;
}
