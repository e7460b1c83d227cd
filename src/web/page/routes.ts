import type { Clock } from "../../core/clock.ts";
import type { Routes } from "../ports.ts";
import type { CommandAnswer, PagePort } from "./ports.ts";
import { PageUpdates } from "./updates.ts";

/** What the page asks for: what changes, pictures, and commands. */
export function pageRoutes(port: PagePort, clock: Clock): Routes {
  return (app, streams) => {
    const updates = new PageUpdates(port, clock);
    app.get("/api/events", ({ req }) => streams.open(req, (stream) => updates.add(stream)));
    app.get("/api/frames/:id", (context) => jpeg(port.picture(Number(context.req.param("id")))));
    app.get("/api/thumbnails/:id", async (context) => jpeg(await port.thumbnail(Number(context.req.param("id")))));
    app.post("/api/commands/:name", async (context) => {
      const request: unknown = await context.req.json();
      return answered(await port.run(context.req.param("name"), request));
    });
  };
}

function jpeg(picture: Buffer | undefined): Response {
  if (picture === undefined) return Response.json({ error: "WEB_NOTHING_HERE" }, { status: 404 });
  return new Response(new Uint8Array(picture), { headers: { "content-type": "image/jpeg" } });
}

function answered(answer: CommandAnswer): Response {
  if (answer.kind === "unknown") return Response.json({ error: "WEB_NOTHING_HERE" }, { status: 404 });
  return Response.json(answer.answer, { status: statuses[answer.state] ?? 500 });
}

const statuses: Readonly<Record<string, number>> = { done: 200, refused: 400, expired: 409 };
