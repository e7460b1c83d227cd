import { maskUrls } from "../core/mask.ts";
import { currentVersion, migrated, migrations, type Migration } from "./migrations.ts";
import { ConfigError, type ConfigProblem } from "./problem.ts";
import { YamlSource } from "./yaml.ts";

/** A config file as this version reads it, not yet checked. */
export interface ConfigDocument {
  readonly source: YamlSource;
  readonly value: unknown;
  readonly problems: readonly ConfigProblem[];
  /** The version that it was written in, where that is an older one. */
  readonly migratedFrom?: number;
  readonly warnings: readonly ConfigProblem[];
}

/** Fails with a ConfigError where the text is no YAML, or of a version of the program that is yet to come. */
export function readDocument(text: string, file: string, steps: readonly Migration[] = migrations): ConfigDocument {
  const source = new YamlSource(text);
  const problems = source.problems.map((problem) => ({ ...problem, file, path: maskUrls(problem.path.join(".")) }));
  if (source.value === undefined) throw new ConfigError(problems);
  const read = migrated(source.value, steps);
  const latest = currentVersion(steps);
  const at = { file, ...source.positionOf(["version"], "value"), path: "version" };
  switch (read.kind) {
    case "newer": {
      const message = `a newer Framepost wrote this file (version ${read.version}; this one reads up to ${latest})`;
      throw new ConfigError([{ ...at, message }]);
    }
    case "current":
      return { source, value: read.document, problems, warnings: [] };
    case "migrated": {
      const { document, from, says } = read;
      const message = `written for version ${from}, read as version ${latest}: ${says.join("; ")}. \`framepost config migrate\` brings it up to date`;
      return { source, value: document, problems, migratedFrom: from, warnings: [{ ...at, message }] };
    }
  }
}
