/** What a unit file says of its service; of a setting that is there several times, all that it lists. */
export class UnitFile {
  readonly #lines: readonly (readonly [string, string])[];

  constructor(text: string) {
    this.#lines = text
      .replaceAll("\\\n", " ")
      .split("\n")
      .flatMap((line) => {
        const [, name = "", value = ""] = /^([A-Za-z]+)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
        return name === "" ? [] : [[name, value] as const];
      });
  }

  /** The last one, as systemd has it; fails where there is none and no default of systemd's is given. */
  one(name: string, usual?: string): string {
    const value = this.#lines.findLast(([each]) => each === name)?.[1] ?? usual;
    if (value === undefined) throw new Error(`the unit has no ${name}=`);
    return value;
  }

  /** `~@a b` takes away both, which is said word by word here. */
  list(name: string): readonly string[] {
    return this.#lines
      .filter(([each]) => each === name)
      .flatMap(([, value]) => {
        const takesAway = value.startsWith("~");
        const words = value
          .replace(/^~/, "")
          .split(/\s+/)
          .filter((word) => word !== "");
        return words.map((word) => (takesAway ? `~${word}` : word));
      });
  }
}
