import type { WebApp, WebPorts } from "./ports.ts";

/** For whoever watches this device: a service manager, a load balancer, Prometheus. */
export function healthRoutes(app: WebApp, ports: WebPorts, degradedAfterMs: number): void {
  app.get("/livez", (context) => {
    const late = ports.late();
    return context.json({ live: late.length === 0, late }, late.length === 0 ? 200 : 503);
  });
  app.get("/readyz", async (context) => {
    const reasons = await ports.unready();
    return context.json({ ready: reasons.length === 0, reasons }, reasons.length === 0 ? 200 : 503);
  });
  app.get("/healthz", async (context) => {
    const { state, stateForMs, report } = await ports.health();
    const isIll = state === "degraded" && stateForMs >= degradedAfterMs;
    return context.json({ stateForMs, ...report }, isIll ? 503 : 200);
  });
  app.get("/metrics", async () => {
    const type = "text/plain; version=0.0.4; charset=utf-8";
    return new Response(await ports.metrics(), { headers: { "content-type": type } });
  });
}
