import { join } from "node:path";
import type { Seams } from "../../src/core/ports.ts";
import { healthRoutes } from "../../src/web/health-routes.ts";
import { loginRoutes } from "../../src/web/login.ts";
import type { Routes, WebPorts } from "../../src/web/ports.ts";
import { WebServer } from "../../src/web/server.ts";
import { readStaticFiles } from "../../src/web/static-files.ts";
import { staticRoutes } from "../../src/web/static-routes.ts";
import type { FramepostConfig } from "../config-schema.ts";
import type { Part } from "../lifecycle.ts";
import { packageFolder } from "../version.ts";

export interface WebPartOptions {
  /** Health and metrics. */
  readonly ports: WebPorts;
  /** What the page shows and does. */
  readonly page: readonly Routes[];
  readonly orAnyPort?: boolean;
}

export interface WebPart extends Part {
  /** Where it can be reached; undefined while it cannot, and where it is off. */
  url(): string | undefined;
}

const staticFolder = join(packageFolder, "src/web/static");

/** The page, health and metrics of a running agent. Nothing where the config turns it off. */
export async function webPart(
  config: FramepostConfig,
  { ports, page, orAnyPort = false }: WebPartOptions,
  seams: Seams,
): Promise<WebPart> {
  if (!config.web.enabled) return noWeb;
  const files = await readStaticFiles(staticFolder);
  const server = new WebServer(
    {
      config: config.web,
      orAnyPort,
      routes: (tokens) => [
        (app) => loginRoutes(app, tokens),
        (app) => healthRoutes(app, ports, config.web.degradedAfter),
        (app) => staticRoutes(app, files),
        ...page,
      ],
    },
    seams,
  );
  return {
    name: "web",
    start: (signal) => server.start(signal),
    stop: () => server.stop(),
    url: () => server.url(),
  };
}

const noWeb: WebPart = {
  name: "web",
  start: async () => undefined,
  stop: async () => undefined,
  url: () => undefined,
};
