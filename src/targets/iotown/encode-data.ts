import { captureLimits } from "../../core/capture-limits.ts";
import type { StoredRecord } from "../../core/types.ts";
import type { NodeData, NodeFiles } from "./data-body.ts";
import { iotownDetected, type IotownDetected, type IotownEncoding } from "./encode.ts";

/** A frame as data of a node. The vendor's camera example and its documents call such a value `snap`. */
const valueKey = "snap";
const partName = "snap0";

export interface IotownDataEncoding extends IotownEncoding {
  readonly nid: string;
  /** Also name, camera, capture time and detections. */
  readonly details: boolean;
}

/** The file's name is the record's; what else is known of the frame stands beside `type` and `file`. */
export function iotownFrameFiles(record: StoredRecord, jpeg: Buffer, encoding: IotownDataEncoding): NodeFiles {
  const details = encoding.details ? frameDetails(record, encoding) : {};
  return {
    nid: encoding.nid,
    meta: { [valueKey]: { type: "image", file: partName, ...details } },
    files: [{ part: partName, fileName: record.name, bytes: jpeg }],
  };
}

/** The picture is a plain base64 value; what else is known of the frame are values beside it. */
export function iotownFrameData(record: StoredRecord, jpeg: Buffer, encoding: IotownDataEncoding): NodeData {
  return {
    nid: encoding.nid,
    data: encoding.details ? frameDetails(record, encoding) : {},
    picture: { key: valueKey, jpeg },
  };
}

export interface IotownFrameDetails {
  readonly name: string;
  readonly camera: string;
  /** UTC. Left out while the gateway's clock was not set, as the vendor's own camera does. */
  readonly captured_at?: string;
  /** Best first. */
  readonly detected: readonly IotownDetected[];
  readonly [further: string]: unknown;
}

function frameDetails(record: StoredRecord, encoding: IotownEncoding): IotownFrameDetails {
  const { name, cameraId, capturedAtMs } = record;
  return {
    name,
    camera: cameraId,
    ...(capturedAtMs < captureLimits.clockPlausibleFromMs ? {} : { captured_at: new Date(capturedAtMs).toISOString() }),
    detected: iotownDetected(record, encoding),
  };
}
