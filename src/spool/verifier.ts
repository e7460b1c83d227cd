import type { QueueCheck } from "../core/queue.ts";
import type { EnvelopeFiles } from "./files.ts";
import type { IndexClient } from "./index/client.ts";
import type { Leases } from "./leases.ts";
import type { Room } from "./room.ts";

export interface VerifierParts {
  readonly index: IndexClient;
  readonly files: EnvelopeFiles;
  readonly room: Room;
  readonly leases: Leases;
  readonly lastSequence: () => number;
}

export class Verifier {
  constructor(_parts: VerifierParts) {}
  async check(afterSequence: number, _repair: boolean): Promise<QueueCheck> {
    return { recordsChecked: 0, findings: [], lastSequence: afterSequence, done: true };
  }
}
