import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { linkLimits } from "../../src/core/deliver-limits.ts";
import { requireSuccess } from "../../src/targets/iotown/answer.ts";

const judge = (body: string) => () => {
  requireSuccess({ status: 200, headers: {}, body: Buffer.from(body) }, { attempted: "POST https://town.example" });
};

describe("IoT.own answer of status 200", () => {
  const padding = JSON.stringify("x".repeat(linkLimits.parsedAnswerBytesMax));

  it("is held against its errorCode wherever that stands in an answer of usual size", () => {
    assert.throws(judge('{"data":"x","errorCode":500}'), { code: "HTTP_500" });
    assert.doesNotThrow(judge('{"errorCode":200,"errorMsg":"OK"}'));
  });

  it("is judged by its opening where it is too large to be parsed", () => {
    assert.throws(judge(`{ "errorCode": 500, "data": ${padding}}`), { code: "HTTP_500" });
    assert.doesNotThrow(judge(`{"errorCode":200,"data":${padding}}`));
    assert.doesNotThrow(judge(`{"data":${padding},"errorCode":500}`));
  });
});
