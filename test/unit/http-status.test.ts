import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { linkLimits } from "../../src/core/deliver-limits.ts";
import { shownUrl } from "../../src/link/http-errors.ts";
import { answerSnippet, httpStatusError, type HttpAnswer } from "../../src/link/http-status.ts";
import { isPrivateHost } from "../../src/link/hosts.ts";

const answer = (status: number, body = "", headers: Record<string, string> = {}): HttpAnswer => ({
  status,
  headers,
  body: Buffer.from(body),
});
const attempted = "POST https://town.example/api";

describe("HTTP status error", () => {
  it("is named after the status and says what was tried and what came back", () => {
    const error = httpStatusError(answer(500, '{"errorMsg":"Busy"}'), { attempted });
    assert.equal(error.code, "HTTP_500");
    assert.equal(error.message, `${attempted}: HTTP 500: {"errorMsg":"Busy"}`);
  });

  it("names a redirect and any other status that is no failure by themselves", () => {
    const location = "https://other.example/login?token=secret";
    const redirect = httpStatusError(answer(302, "", { location }), { attempted });
    assert.equal(redirect.code, "HTTP_REDIRECT");
    assert.match(redirect.message, /to https:\/\/other\.example; not followed$/);
    assert.equal(httpStatusError(answer(201), { attempted }).code, "HTTP_UNEXPECTED_STATUS");
    assert.equal(httpStatusError(answer(999), { attempted }).code, "HTTP_UNEXPECTED_STATUS");
  });

  const now = Date.UTC(2026, 0, 1);
  const waits: readonly (readonly [string, Record<string, string>, number | undefined])[] = [
    ["seconds", { "retry-after": "7" }, 7_000],
    [
      "a date against the server's clock",
      {
        "retry-after": "Thu, 05 Mar 2026 10:15:30 GMT",
        date: "Thu, 05 Mar 2026 10:15:00 GMT",
      },
      30_000,
    ],
    ["a date against ours where the server gives none", { "retry-after": new Date(now + 9_000).toUTCString() }, 9_000],
    ["a date gone by", { "retry-after": new Date(now - 9_000).toUTCString() }, 0],
    ["a year", { "retry-after": "31536000" }, 60 * 60_000],
    ["nonsense", { "retry-after": "soon" }, undefined],
    ["a negative number", { "retry-after": "-5" }, undefined],
    ["nothing", {}, undefined],
  ];
  for (const [name, headers, afterMs] of waits) {
    it(`reads a Retry-After of ${name}`, () => {
      assert.equal(httpStatusError(answer(503, "", headers), { attempted, nowMs: now }).afterMs, afterMs);
    });
  }

  it("masks a secret that the answer repeats in any form, also at the cut", () => {
    const secret = 'to"ken/ä+1';
    const forms = [secret, encodeURIComponent(secret), JSON.stringify(secret)];
    const text = answerSnippet(answer(400, forms.join(" ")), [secret]);
    assert.equal(text, '*** *** "***"');
    for (let pad = 180; pad < 210; pad += 1) {
      const cut = answerSnippet(answer(400, "x".repeat(pad) + "CANARY-CANARY"), ["CANARY-CANARY"]);
      assert.ok(!cut.includes("C"), `at ${pad}: ${cut}`);
      assert.ok(cut.length <= 200);
    }
    assert.ok(answerSnippet(answer(400, `was ${secret}`)).includes(secret), "the search finds what is not masked");
  });

  it("looks at the opening of a long answer only, and shows no part of a secret that its cut divides", () => {
    const from = linkLimits.snippetBytes;
    assert.equal(answerSnippet(answer(400, "opening" + " ".repeat(from) + "behind")), "opening");
    for (let before = from - 14; before <= from; before += 1) {
      const text = answerSnippet(answer(400, " ".repeat(before) + "CANARY-CANARY, and more"), ["CANARY-CANARY"]);
      assert.ok(!text.includes("C"), `at ${before}: ${text}`);
    }
  });

  it("takes line breaks and control characters out of foreign text", () => {
    assert.equal(answerSnippet(answer(400, "a\r\nb\u001b[31mc\u202ed\u0000")), "a b [31mc d");
  });

  it("prints no user, password, query or fragment of a URL", () => {
    assert.equal(shownUrl("https://user:pass@host:8443/a/b?token=1#x"), "https://host:8443/a/b");
    assert.equal(shownUrl("nonsense"), "an address that is not a URL");
  });
});

describe("private host", () => {
  for (const host of [
    "127.0.0.1",
    "10.1.2.3",
    "192.168.0.5",
    "172.31.0.1",
    "[::1]",
    "[fd00::1]",
    "gateway",
    "a.local",
  ]) {
    it(`${host} is private`, () => assert.equal(isPrivateHost(host), true));
  }
  for (const host of ["8.8.8.8", "172.32.0.1", "town.coxlab.kr", "[2001:db8::1]", "local.example"]) {
    it(`${host} is not`, () => assert.equal(isPrivateHost(host), false));
  }
});
