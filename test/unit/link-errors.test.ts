import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { linkError } from "../../src/link/http-errors.ts";
import { connectError } from "../../src/link/mqtt-errors.ts";

/** As Node throws it, for both protocols. */
function codesOf(errno: string): readonly string[] {
  const thrown = Object.assign(new Error("foreign text"), { code: errno });
  return [linkError("GET https://town.example", { errno, detail: "" }).code, connectError("mqtts://town", thrown).code];
}

describe("error of the network", () => {
  const meanings: Readonly<Record<string, string>> = {
    ECONNREFUSED: "NET_REFUSED",
    EAI_FAIL: "NET_DNS",
    ENODATA: "NET_DNS",
    EHOSTDOWN: "NET_UNREACHABLE",
    EPIPE: "NET_RESET",
    ETIMEDOUT: "NET_CONNECT_TIMEOUT",
    EPROTO: "TLS_FAILED",
    ERR_SSL_WRONG_VERSION_NUMBER: "TLS_FAILED",
    CERT_HAS_EXPIRED: "TLS_UNTRUSTED",
    INVALID_PURPOSE: "TLS_UNTRUSTED",
    PATH_LENGTH_EXCEEDED: "TLS_UNTRUSTED",
    ERR_TLS_CERT_ALTNAME_INVALID: "TLS_UNTRUSTED",
    ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: "TLS_CLIENT_CERT",
    ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: "TLS_CLIENT_CERT",
    ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE: "TLS_CLIENT_CERT",
  };
  for (const [errno, code] of Object.entries(meanings)) {
    it(`${errno} is ${code} over HTTP and over MQTT`, () => assert.deepEqual(codesOf(errno), [code, code]));
  }
});
