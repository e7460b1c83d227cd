import assert from "node:assert/strict";
import { describe, it } from "mocha";
import type { HttpAnswer } from "../../src/link/http-status.ts";
import type { HttpCaller, HttpRequest } from "../../src/link/http.ts";
import { OnestepaiClient } from "../../src/targets/onestepai/client.ts";

const never = new AbortController().signal;
const url = "https://osai.example/api";

/** Signs in, and answers all else with what the test says. */
class Platform implements HttpCaller {
  readonly requests: HttpRequest[] = [];
  readonly #answer: Partial<HttpAnswer>;

  constructor(answer: Partial<HttpAnswer> = {}) {
    this.#answer = answer;
  }

  request(request: HttpRequest): Promise<HttpAnswer> {
    const answer = { status: 200, headers: {}, body: Buffer.from("jwt") };
    if (request.url.endsWith("/SignIn")) return Promise.resolve(answer);
    this.requests.push(request);
    return Promise.resolve({ ...answer, ...this.#answer });
  }
}

function clientOf(answer: Partial<HttpAnswer> = {}) {
  const platform = new Platform(answer);
  return { platform, client: new OnestepaiClient({ url, accessToken: "unit-access-canary" }, platform) };
}

describe("OneStepAI client", () => {
  it("writes every id into its address so that it stays one", async () => {
    const { platform, client } = clientOf({ body: Buffer.from("9031") });
    await client.startUploading("a/b?c", never);
    await client.finishUploading("a/b?c", "1&x=2/#", never);
    assert.deepEqual(
      platform.requests.map((request) => request.url),
      [
        `${url}/Datasets/a%2Fb%3Fc/StartUploading`,
        `${url}/Datasets/a%2Fb%3Fc/FinishUploading?datasetUploadId=1%26x%3D2%2F%23`,
      ],
    );
    for (const id of ["", ".", ".."]) {
      await assert.rejects(client.startUploading(id, never), { code: "CONFIG_INVALID" });
      await assert.rejects(client.finishUploading(id, "1", never), { code: "CONFIG_INVALID" });
    }
    assert.equal(platform.requests.length, 2);
  });

  it("takes any success for an upload's end, and nothing else", async () => {
    for (const status of [200, 201, 204]) await clientOf({ status }).client.finishUploading("1", "2", never);
    for (const [status, code] of [
      [302, "HTTP_REDIRECT"],
      [400, "HTTP_400"],
      [500, "HTTP_500"],
    ] as const) {
      await assert.rejects(clientOf({ status }).client.finishUploading("1", "2", never), { code });
    }
  });

  it("takes an image for stored on status 200 alone", async () => {
    const image = { name: "a.jpg", image: Buffer.from("x"), datasetId: "1", uploadId: "2", categoryId: "3" };
    await clientOf().client.uploadChunk(image, never);
    for (const status of [201, 202, 204, 206, 302]) {
      const code = status === 302 ? "HTTP_REDIRECT" : "HTTP_UNEXPECTED_STATUS";
      await assert.rejects(clientOf({ status }).client.uploadChunk(image, never), { code });
    }
  });
});
