import type { CameraDriver, Shot } from "../../src/core/ports.ts";

export type Step = Buffer | "hang" | "deaf" | "end" | Error;

/** Plays its script, then repeats the last step. */
export class ScriptedDriver implements CameraDriver {
  readonly kind = "scripted";
  readonly pace: "newest" | "every";
  readonly calls: string[] = [];
  readonly script: Step[];
  startWith: Step | undefined;
  stopWith: "hang" | undefined;

  constructor(script: Step[], pace: "newest" | "every" = "newest") {
    this.script = script;
    this.pace = pace;
  }

  async start(signal: AbortSignal): Promise<void> {
    this.calls.push("start");
    if (this.startWith !== undefined) await play(this.startWith, signal);
  }

  async shot(signal: AbortSignal): Promise<Shot> {
    this.calls.push("shot");
    const step = this.script.length > 1 ? this.script.shift() : this.script[0];
    return play(step ?? "end", signal);
  }

  async stop(): Promise<void> {
    this.calls.push("stop");
    if (this.stopWith === "hang") await new Promise(() => undefined);
  }

  count(call: string): number {
    return this.calls.filter((made) => made === call).length;
  }
}

export async function play(step: Step, signal: AbortSignal): Promise<Shot> {
  if (step instanceof Buffer) return { kind: "image", jpeg: step };
  if (step === "end") return { kind: "end" };
  if (step instanceof Error) throw step;
  return new Promise((_, reject) => {
    if (step === "hang") signal.addEventListener("abort", () => reject(signal.reason as Error));
  });
}
