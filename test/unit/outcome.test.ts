import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { AgentError, asAgentError, type Disposition } from "../../src/core/errors.ts";
import { chargesRecord, holdsCamera, isTooLarge, outcomeOf, suspectsRecord } from "../../src/core/outcome.ts";

const error = (code: string, disposition: Disposition = "retry") =>
  new AgentError(code, "tried, failed", { disposition });

/** What a failed delivery means, by code: try again at the target's cost, at the record's, or set the record aside. */
const expected = {
  "the target is away": [
    ...["ABORTED", "NET_REFUSED", "NET_DNS", "NET_UNREACHABLE", "NET_CONNECT_TIMEOUT", "PROXY_FAILED"],
    ...["TLS_UNTRUSTED", "TLS_CLIENT_CERT", "TLS_FAILED", "TLS_CONFIG", "HTTP_REDIRECT", "HTTP_BAD_REQUEST"],
    ...["HTTP_401", "HTTP_402", "HTTP_404", "HTTP_405", "HTTP_407", "HTTP_410", "HTTP_425", "HTTP_429", "HTTP_302"],
    ...["MQTT_OFFLINE", "MQTT_CREDENTIALS", "MQTT_QUOTA"],
    ...["DISK_FULL", "FOLDER_FULL", "PLATFORM_LOCKED", "PLATFORM_REFUSED", "NOT_SENT"],
    ...["BATCH_INTERRUPTED", "STORAGE_UNSUPPORTED"],
    ...["PROJECT_FULL", "PROJECT_MISMATCH"],
    ...["REMO_SETTINGS", "REMO_BUSY"],
  ],
  "the target failed, perhaps at this record": [
    ...["NET_RESET", "NET_TIMEOUT", "HTTP_403", "HTTP_408", "HTTP_500", "HTTP_502", "HTTP_503", "HTTP_504", "HTTP_507"],
    ...["HTTP_NOT_THE_PLATFORM", "HTTP_UNEXPECTED_STATUS", "HTTP_ANSWER_TOO_LARGE", "PLATFORM_UNCERTAIN"],
    ...["PLATFORM_FAILED", "UPLOAD_REFUSED", "STORAGE_REFUSED", "JOB_FAILED", "JOB_STUCK"],
    "IOTOWN_NODE_UNKNOWN",
    ...["MQTT_ACK_TIMEOUT", "MQTT_CLOSED", "MQTT_PROTOCOL", "DISK_FAILED", "UNEXPECTED"],
    ...["REMO_ANSWER", "REMO_REFUSED", "REMO_SESSION_FAILED", "REMO_STUCK"],
  ],
  "the record is charged": [
    ...[
      "MQTT_REFUSED",
      "IMAGE_UNCERTAIN",
      "TAG_NOT_MADE",
      "REMO_PENDING",
      "REMO_FILE_FAILED",
      "VISION_CRASHED",
      "VISION_TIMEOUT",
    ],
    ...["JOB_PENDING", "UPLOAD_PAUSED"],
  ],
  "the record waits": ["VISION_UNAVAILABLE"],
  "the camera is held": ["MQTT_NO_SUBSCRIBER", "MQTT_NOT_AUTHORISED", "PLATFORM_CATEGORY"],
  "the record is refused": [
    ...["HTTP_400", "HTTP_409", "HTTP_411", "HTTP_413", "HTTP_415", "HTTP_422", "HTTP_418"],
    ...["MQTT_TOO_LARGE", "RECORD_UNREADABLE", "ENCODE_FAILED", "REMO_FILE_REFUSED"],
    ...["IMAGE_TOO_LARGE", "IMAGE_REFUSED", "TAG_REFUSED", "LABEL_UNKNOWN", "UPLOAD_REMOVED"],
  ],
} as const;

function reading(of: AgentError): string {
  const outcome = outcomeOf(of);
  if (outcome.kind === "accepted") return "accepted";
  if (outcome.kind === "rejected") return "the record is refused";
  if (holdsCamera(of)) return "the camera is held";
  if (outcome.scope === "record") return chargesRecord(of) ? "the record is charged" : "the record waits";
  return suspectsRecord(of) ? "the target failed, perhaps at this record" : "the target is away";
}

describe("retry-or-not table", () => {
  for (const [meaning, codes] of Object.entries(expected)) {
    for (const code of codes) {
      it(`${code}: ${meaning}`, () => {
        // The disposition must not matter for a code that the table knows.
        for (const disposition of ["retry", "reject", "fatal"] as const) {
          assert.equal(reading(error(code, disposition)), meaning);
        }
      });
    }
  }

  it("knows which refusals are about a size", () => {
    const codes = Object.values(expected).flat();
    const about = codes.filter((code) => isTooLarge(error(code)));
    assert.deepEqual(about.sort(), ["HTTP_413", "IMAGE_TOO_LARGE", "MQTT_TOO_LARGE"]);
  });

  it("follows the disposition of a code it does not know", () => {
    assert.equal(reading(error("NEW_ONE", "retry")), "the target failed, perhaps at this record");
    assert.equal(reading(error("NEW_ONE", "reject")), "the record is refused");
    assert.equal(reading(error("NEW_ONE", "fatal")), "the target is away");
  });

  it("never loses a record to an error that is no AgentError", () => {
    assert.equal(
      reading(asAgentError(new TypeError("x is undefined"), "sending")),
      "the target failed, perhaps at this record",
    );
    assert.equal(reading(asAgentError("a thrown string", "sending")), "the target failed, perhaps at this record");
    assert.equal(reading(asAgentError(new DOMException("", "AbortError"), "sending")), "the target is away");
  });

  it("judges the wrapping error by its own code and passes its wait on", () => {
    const cause = error("HTTP_400", "reject");
    const wrapped = new AgentError("NET_RESET", "cut", { disposition: "retry", cause, afterMs: 7_000 });
    const outcome = outcomeOf(wrapped);
    assert.equal(outcome.kind, "retry");
    assert.equal(outcome.afterMs, 7_000);
    assert.equal(outcome.error, wrapped);
  });
});
