import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { jsonSchemaOf } from "../../src/config/json-schema.ts";
import { metricTable } from "../../src/health/metric-table.ts";
import { commandSpecs } from "../../src/remote/commands/specs.ts";
import { configSchema } from "../config-schema.ts";
import { agentVersion, packageFolder } from "../version.ts";
import { asyncApi } from "./asyncapi.ts";
import { commandsPage } from "./commands-page.ts";
import { metricsPage } from "./metrics-page.ts";

/** Files that are made from the code, by their path in the repository. */
export const documents: Readonly<Record<string, () => string | Promise<string>>> = {
  "config/framepost.schema.json": () => `${JSON.stringify(jsonSchemaOf(configSchema), undefined, 2)}\n`,
  "docs/commands.md": async () => commandsPage(await template(), commandSpecs),
  "docs/metrics.md": () => metricsPage(metricTable),
  "docs/asyncapi.yaml": () => asyncApi(commandSpecs, agentVersion()),
};

async function template(): Promise<string> {
  return readFile(join(packageFolder, "agent/documents/commands.template.md"), "utf8");
}
