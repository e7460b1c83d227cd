import assert from "node:assert/strict";
import { describe, it } from "mocha";
import type { HttpAnswer } from "../../src/link/http-status.ts";
import type { HttpCaller, HttpRequest } from "../../src/link/http.ts";
import { OnestepaiAccount } from "../../src/targets/onestepai/account.ts";

const never = new AbortController().signal;
const access = { url: "https://osai.example/api", accessToken: "unit-access-canary" };
const get = { method: "GET", headers: {} } as const;

/** Issues `jwt-1`, `jwt-2`, …; takes the newest alone. An answer to `/slow` waits until it is let go. */
class Platform implements HttpCaller {
  issued = 0;
  readonly #waiting: (() => void)[] = [];
  readonly #signInAnswer: Partial<HttpAnswer>;

  constructor(signInAnswer: Partial<HttpAnswer> = {}) {
    this.#signInAnswer = signInAnswer;
  }

  expire(): void {
    this.issued += 1;
  }

  letGo(): void {
    for (const go of this.#waiting.splice(0)) go();
  }

  async request({ url, headers }: HttpRequest): Promise<HttpAnswer> {
    const answer = { status: 200, headers: {}, body: Buffer.alloc(0) };
    if (url.endsWith("/SignIn")) {
      this.issued += 1;
      return { ...answer, body: Buffer.from(`jwt-${this.issued}`), ...this.#signInAnswer };
    }
    const valid = headers["Authorization"] === `Bearer jwt-${this.issued}`;
    if (url.endsWith("/slow") && !valid) await new Promise<void>((go) => this.#waiting.push(go));
    return { ...answer, status: valid ? 200 : 401 };
  }
}

describe("OneStepAI account", () => {
  it("does not sign in again for a 401 to a JWT that has been replaced since", async () => {
    const platform = new Platform();
    const account = new OnestepaiAccount(access, platform);
    assert.equal((await account.request("/Users", get, never)).answer.status, 200);
    platform.expire();
    const slow = account.request("/slow", get, never);
    assert.equal((await account.request("/Users", get, never)).answer.status, 200);
    platform.letGo();
    assert.equal((await slow).answer.status, 200);
    // The first, the one that expired, and one for both.
    assert.equal(platform.issued, 3);
  });

  it("takes no page for a JWT, though its text could be one", async () => {
    const page = { headers: { "content-type": "text/html" }, body: Buffer.from("Welcome") };
    const account = new OnestepaiAccount(access, new Platform(page));
    await assert.rejects(account.signIn(never), { code: "HTTP_NOT_THE_PLATFORM" });
  });
});
