import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";

import { describe, it } from "mocha";

import { HttpLink } from "../../src/link/http.ts";
import { differencesOf, judge, type StatedDifference } from "./differences.ts";
import type { Exchange, Fixture, RecordedAnswer } from "./fixture.ts";
import { type Answers, startRecorder } from "./recorder.ts";

/** What a test gives our client so that it does what the vendor's did. */
export interface Occasion {
  readonly url: string;
  readonly link: HttpLink;
  readonly signal: AbortSignal;
  readonly photo: (name: string) => Buffer;
}

export interface Comparison {
  readonly kind: string;
  /** Folder of fixtures: `<client>-<version>`. */
  readonly client: string;
  readonly drive: (fixture: Fixture, occasion: Occasion) => Promise<unknown>;
  readonly stated: readonly StatedDifference[];
  /** Text of the recorded paths that another version of the same API has there. */
  readonly replaced?: Readonly<Record<string, string>>;
  /** Cases that our client has no like of, with the reason. */
  readonly notOurs?: Readonly<Record<string, string>>;
}

const fixtures = path.resolve(import.meta.dirname, "../../../test/fixtures/platforms");

/**
 * Gives the input of each recorded call to our client, answers it what the vendor's client was answered, and compares
 * the requests. A difference without a reason fails, and so does a reason without a difference.
 */
export function describeComparison({ kind, client, drive, stated, replaced = {}, notOurs = {} }: Comparison): void {
  describe(`requests against those of ${client}`, () => {
    const folder = path.join(fixtures, kind, client);
    const unused = new Set(stated);
    const cases = readdirSync(folder).map((file) => file.replace(/\.json$/, ""));

    for (const name of cases.filter((each) => notOurs[each] === undefined)) {
      it(`${name}: the same, or different for a stated reason`, async () => {
        let text = readFileSync(path.join(folder, `${name}.json`), "utf8");
        for (const [theirs, ours] of Object.entries(replaced)) text = text.replaceAll(theirs, ours);
        const fixture = JSON.parse(text) as Fixture;
        await using server = await startRecorder(replaying(fixture.exchanges), fixtures);
        const link = new HttpLink();
        const photo = (file: string): Buffer => readFileSync(path.join(fixtures, file));
        try {
          await drive(fixture, { url: server.url, link, signal: AbortSignal.timeout(10_000), photo });
        } finally {
          link.close();
        }
        const ours = server.exchanges.map(({ request }) => request);
        const { unexplained, used } = judge(differencesOf(name, ours, fixture.exchanges), stated);
        for (const statement of used) unused.delete(statement);
        assert.deepEqual(unexplained, []);
      });
    }

    it("every stated difference occurs, and every case that is left out exists", () => {
      assert.deepEqual([...unused], []);
      assert.deepEqual(
        Object.keys(notOurs).filter((each) => !cases.includes(each)),
        [],
      );
    });
  });
}

/** The recorded answer of the first request of this method and path, else of this method, that was not answered yet. */
function replaying(exchanges: readonly Exchange[]): Answers {
  const left = [...exchanges];
  return ({ method, path: asked }): RecordedAnswer => {
    const sameMethod = left.findIndex(({ request }) => request.method === method);
    const same = left.findIndex(({ request }) => request.method === method && request.path === asked);
    const at = same < 0 ? sameMethod : same;
    const [exchange] = at < 0 ? [] : left.splice(at, 1);
    const text = `not recorded: ${method} ${asked}`;
    return exchange?.answer ?? { status: 404, body: { kind: "json", value: { error: { message: text } } } };
  };
}
