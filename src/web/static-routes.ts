import type { WebApp } from "./ports.ts";
import type { StaticFile } from "./static-files.ts";

/** The files of the page under `/static/`, and its `index.html` at `/`. */
export function staticRoutes(app: WebApp, files: ReadonlyMap<string, StaticFile>): void {
  app.get("/static/:name", (context) => answer(context.req.raw, files.get(context.req.param("name"))));
  app.get("/", (context) => answer(context.req.raw, files.get("index.html")));
}

/** Kept by the browser, and asked for again each time: a new version of Framepost shows at once. */
function answer(request: Request, file: StaticFile | undefined): Response {
  if (file === undefined) return Response.json({ error: "WEB_NOTHING_HERE" }, { status: 404 });
  const headers = { etag: file.etag, "cache-control": "no-cache" };
  if (request.headers.get("if-none-match") === file.etag) return new Response(null, { status: 304, headers });
  return new Response(file.bytes, { headers: { ...headers, "content-type": file.type } });
}
