import { AgentError, asAgentError } from "../../core/errors.ts";
import { captureLimits } from "../../core/capture-limits.ts";
import { linkLimits } from "../../core/deliver-limits.ts";
import { outcomeOf, type Outcome } from "../../core/outcome.ts";
import type { Delivery, Target, TargetCapacity } from "../../core/ports.ts";
import type { RecordDraft, StoredRecord } from "../../core/types.ts";
import { HttpLink, type LinkParts } from "../../link/http.ts";
import { filterWants } from "../filter.ts";
import { explained } from "../platform-answer.ts";
import { IotownClient } from "./client.ts";
import type { IotownConfig } from "./config.ts";
import { iotownFrameData, iotownFrameFiles } from "./encode-data.ts";
import { iotownLabels } from "./encode.ts";

/**
 * IoT.own: pictures with labels for its image store, or frames as data of one of its nodes. One request per record,
 * accepted on status 200.
 */
export class IotownTarget implements Target {
  readonly id: string;
  readonly kind = "iotown";
  readonly #config: IotownConfig;
  readonly #link: HttpLink;
  readonly #client: IotownClient;
  /** The server has taken a frame as data in this form. */
  #dataProven = false;

  constructor(config: IotownConfig, link: LinkParts = {}) {
    this.id = config.id;
    this.#config = config;
    this.#link = new HttpLink({ tls: config.tls, proxy: config.proxy, ...link });
    this.#client = new IotownClient(config, this.#link);
  }

  capacity(): TargetCapacity {
    return {
      recordsPerCallMax: 1,
      bytesPerCallMax: captureLimits.jpegBytesMax,
      callsInFlightMax: linkLimits.socketsPerTargetMax,
    };
  }

  wants(draft: RecordDraft): boolean {
    return filterWants(this.#config, draft);
  }

  async start(): Promise<void> {
    // HTTP connects with its first request.
  }

  async probe(signal: AbortSignal): Promise<void> {
    try {
      await this.#client.checkAccess(signal);
      const { mode, nid } = this.#config;
      if (mode === "data" && nid !== undefined) await this.#requireNode(nid, signal);
    } catch (error) {
      throw explained(asAgentError(error, "checking IoT.own"), probeAdvice);
    }
  }

  async deliver(deliveries: readonly Delivery[], signal: AbortSignal): Promise<ReadonlyMap<string, Outcome>> {
    const outcomes = new Map<string, Outcome>();
    for (const delivery of deliveries) outcomes.set(delivery.record.id, await this.#deliverOne(delivery, signal));
    return outcomes;
  }

  async close(): Promise<void> {
    this.#link.close();
  }

  async #deliverOne(delivery: Delivery, signal: AbortSignal): Promise<Outcome> {
    const { record } = delivery;
    try {
      const { mode, nid } = this.#config;
      const jpeg = await delivery.image();
      if (mode === "image" || nid === undefined) {
        await this.#client.uploadImage({ jpeg, labels: iotownLabels(record, this.#config) }, signal);
      } else await this.#sendAsData(record, jpeg, nid, signal);
      return { kind: "accepted" };
    } catch (error) {
      return outcomeOf(asAgentError(error, `sending ${record.name}`));
    }
  }

  async #sendAsData(record: StoredRecord, jpeg: Buffer, nid: string, signal: AbortSignal): Promise<void> {
    const { boxOrigin, minScore, dataBody, dataDetails: details } = this.#config;
    const encoding = { nid, boxOrigin, minScore, details };
    try {
      if (dataBody === "json") await this.#client.sendData(iotownFrameData(record, jpeg, encoding), signal);
      else await this.#client.sendDataWithFiles(iotownFrameFiles(record, jpeg, encoding), signal);
      this.#dataProven = true;
    } catch (error) {
      if (!(error instanceof AgentError) || error.code !== "HTTP_400") throw error;
      // 400 is also the answer to a node that the server does not know, which is no record's fault. Its words do not
      // count, so the server is asked.
      await this.#requireNode(nid, signal);
      const inForm = details && dataBody === "multipart";
      throw inForm && !this.#dataProven ? uncertainDetails(error) : error;
    }
  }

  async #requireNode(nid: string, signal: AbortSignal): Promise<void> {
    try {
      if ((await this.#client.node(nid, {}, signal)) !== undefined) return;
    } catch (error) {
      if (!(error instanceof AgentError) || !["HTTP_400", "HTTP_404"].includes(error.code)) throw error;
      throw unknownNode(nid, error);
    }
    throw unknownNode(nid);
  }
}

/** What `meta` has beside `type` and `file` is documented nowhere: a server that takes none of it must not cost all records. */
function uncertainDetails(error: AgentError): AgentError {
  const why = "no frame has been taken with its details yet; if the server takes none, set dataDetails: false";
  return new AgentError("PLATFORM_UNCERTAIN", `${error.message} (${why})`, { disposition: "retry", cause: error });
}

function unknownNode(nid: string, cause?: AgentError): AgentError {
  const said = cause === undefined ? "the server answers without it" : cause.message;
  return new AgentError("IOTOWN_NODE_UNKNOWN", `node ${nid} of IoT.own is not there: ${said}`, {
    disposition: "fatal",
    cause,
  });
}

/** What a person should do about a failed probe. */
const probeAdvice = {
  HTTP_401: "the server is there and refuses the token",
  HTTP_403: "the server is there and refuses the token or the group",
  HTTP_404: "a server is there but does not know this address, so the token could not be checked; is the url right?",
};
