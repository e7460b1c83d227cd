import type { DeliveryHealth, UploadHealth } from "../core/health.ts";
import { captureLimits } from "../core/capture-limits.ts";
import { controlLimits } from "../core/limits.ts";
import { spoolLimits } from "../core/spool-limits.ts";
import type { ModelChoice } from "../core/model-choice.ts";
import type { CameraLook, Queue } from "../core/queue.ts";
import type { Message } from "./message.ts";
import {
  arrayOf,
  countOf,
  holdRequestOf,
  listPageOf,
  malformed,
  movedRecordOf,
  objectOf,
  selectionOf,
  sentPageOf,
  textOf,
  truthOf,
} from "./parse.ts";

export type Method = keyof Queue | "useModel" | "rollBackModel";

/** What the daemon has to offer. */
export interface Offer {
  readonly queue: Queue;
  /** How delivery stands; goes with the queue's figures. */
  readonly deliveries: () => readonly DeliveryHealth[];
  readonly upload: () => UploadHealth;
  readonly cameras: () => readonly CameraLook[];
  readonly models: ModelChoice;
}

/** What goes over a selection of deliveries in steps. */
function stepBy(method: "retry" | "drop" | "count" | "hasten" | "prioritize"): Answer {
  return async ({ queue }, { value }) => {
    const { selection, afterSequence } = objectOf(value, "a step");
    return { value: await queue[method](selectionOf(selection), countOf(afterSequence, "a sequence")) };
  };
}

type Answer = (offer: Offer, message: Required<Message>) => Promise<Message>;

/** Everything that may be asked over the socket, and nothing else. */
const methods: { readonly [M in Method]: Answer } = {
  async stats({ queue, deliveries, upload, cameras }) {
    const stats = await queue.stats();
    return { value: { ...stats, deliveries: deliveries(), upload: upload(), cameras: cameras() } };
  },
  async list({ queue }, { value }) {
    return { value: await queue.list(listPageOf(value, controlLimits.listRecordsMax)) };
  },
  async find({ queue }, { value }) {
    return { value: await queue.find(textOf(objectOf(value, "a reference")["reference"], "a reference")) };
  },
  async image({ queue }, { value }) {
    return { value: {}, bytes: await queue.image(sequenceOf(value)) };
  },
  async sent({ queue }, { value }) {
    return { value: await queue.sent(sentPageOf(value)) };
  },
  retry: stepBy("retry"),
  drop: stepBy("drop"),
  count: stepBy("count"),
  hasten: stepBy("hasten"),
  prioritize: stepBy("prioritize"),
  async verify({ queue }, { value }) {
    const { afterSequence, repair } = objectOf(value, "a step");
    return { value: await queue.verify(countOf(afterSequence, "a sequence"), truthOf(repair, "repair")) };
  },
  async hold({ queue }, { value }) {
    return { value: await queue.hold(holdRequestOf(value)) };
  },
  async held({ queue }, { value }) {
    const { envelope, ...state } = await queue.held(sequenceOf(value));
    return { value: state, bytes: envelope };
  },
  async release({ queue }, { value }) {
    await queue.release(sequenceOf(value));
    return { value: {} };
  },
  async giveBack({ queue }, { value }) {
    const { sequences } = objectOf(value, "records");
    await queue.giveBack(arrayOf(sequences, "sequences", (item) => countOf(item, "a sequence")));
    return { value: {} };
  },
  async takeIn({ queue }, { value, bytes }) {
    return { value: { taken: await queue.takeIn(movedRecordOf(value, bytes)) } };
  },
  async useModel({ models }, { value }) {
    return { value: await models.use(textOf(objectOf(value, "a model")["reference"], "a reference")) };
  },
  async rollBackModel({ models }) {
    return { value: await models.rollback() };
  },
};

/** They load a model and prove it before they answer. */
const slowMethods: ReadonlySet<string> = new Set<Method>(["useModel", "rollBackModel"]);

/** What a caller waits for an answer. */
export function callTimeoutMsOf(method: Method): number {
  return slowMethods.has(method) ? controlLimits.modelTimeoutMs : controlLimits.callTimeoutMs;
}

const takeInBytesMax = captureLimits.jpegBytesMax + spoolLimits.metadataBytesMax + controlLimits.movedJsonBytesMax;

export interface Served {
  readonly answer: Answer;
  readonly requestBytesMax: number;
  /** Silence while the answer is made. */
  readonly idleTimeoutMs: number;
}

/** Fails with `CONTROL_MALFORMED` for a method that there is none of. */
export function methodOf(name: string): Served {
  if (!Object.hasOwn(methods, name)) throw malformed("a method's name");
  const method = name as Method;
  return {
    answer: methods[method],
    requestBytesMax: method === "takeIn" ? takeInBytesMax : controlLimits.requestBytesMax,
    idleTimeoutMs: controlLimits.idleTimeoutMs + callTimeoutMsOf(method) - controlLimits.callTimeoutMs,
  };
}

function sequenceOf(value: unknown): number {
  return countOf(objectOf(value, "a record")["sequence"], "a sequence");
}
