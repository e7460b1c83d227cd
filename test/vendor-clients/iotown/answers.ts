import type { Json, RecordedAnswer, RecordedRequest } from "../fixture.ts";
import type { Answers } from "../recorder.ts";

/** What IoT.own answers, as its manual and its client have it. */
export function iotownAnswers(): Answers {
  return (request) => answerOf(request);
}

function answerOf(request: RecordedRequest): RecordedAnswer {
  const path = request.path.replace("/api/v1.0", "");
  if (path === "/nn/images") return json({ result: [{ _id: "a1", id: "image-1", labels: [label] }] });
  if (path.startsWith("/nn/dataset/img/")) return photo;
  if (request.method === "GET" && path.startsWith("/file/")) return photo;
  if (path === "/file") return json({ files: [{ file_id: "file-1", file_size: 688 }] });
  if (path.startsWith("/storage")) return storage(request);
  if (path.startsWith("/command/")) return json({ command: [{ fCnt: 7 }] });
  if (path === "/command") return json({ errorCode: 200, errorMsg: "OK", fCnt: 7 });
  if (path.startsWith("/nodes")) return json({ nodes: [node] });
  if (path.startsWith("/node/")) return json({ node });
  return json({ errorCode: 200, errorMsg: "OK" });
}

const label = { name: "fork lift", x: 0.25, y: 0.25, w: 0.5, h: 0.25 };
const node = { node_id: "LW70B3D5FFFE000042", node_type: "LoRaWAN", node_desc: "dock" };
const photo: RecordedAnswer = { status: 200, body: { kind: "photo", name: "photo-1.jpg" } };

/** Two pages; the key of the second is in the query, or in the path where the client leaves out the question mark. */
function storage(request: RecordedRequest): RecordedAnswer {
  const hasKey = request.path.includes("lastKey") || request.query.some(([name]) => name === "lastKey");
  return hasKey
    ? json({ data: [{ _id: "a3", value: { t: 22 } }] })
    : json({
        data: [
          { _id: "a1", value: { t: 20 } },
          { _id: "a2", value: { t: 21 } },
        ],
        lastKey: "a2",
      });
}

function json(value: Json): RecordedAnswer {
  return { status: 200, body: { kind: "json", value } };
}
