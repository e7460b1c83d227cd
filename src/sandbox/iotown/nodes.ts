import { violated, type JsonObject } from "../checks.ts";
import type { SandboxCommand } from "./data-contract.ts";

const pendingMax = 100;

/** The nodes that are registered, and the commands that wait for them: nothing ever takes them. */
export class NodeBook {
  readonly #nodes: ReadonlyMap<string, JsonObject>;
  readonly #pending = new Map<string, JsonObject[]>();
  #fCnt = 0;

  constructor(ids: readonly string[]) {
    this.#nodes = new Map(ids.map((id) => [id, { node_id: id, node_type: id.startsWith("LW") ? "LoRaWAN" : "WiFi" }]));
  }

  list(): readonly JsonObject[] {
    return [...this.#nodes.values()];
  }

  require(nid: string): JsonObject {
    return this.#nodes.get(nid) ?? violated("there is no such node");
  }

  queue({ nid, words, lorawan }: SandboxCommand): JsonObject {
    if (lorawan) this.#fCnt += 1;
    const counter = lorawan ? { fCnt: this.#fCnt } : {};
    const waiting = this.#pending.get(nid) ?? [];
    this.#pending.set(nid, [...waiting, { ...words, ...counter }].slice(-pendingMax));
    return { errorCode: 200, errorMsg: "OK", ...counter };
  }

  pending(nid: string): readonly JsonObject[] {
    return this.#pending.get(nid) ?? [];
  }
}
