import { dirname } from "node:path";
import { AgentError } from "../../src/core/errors.ts";
import { SystemClock } from "../../src/core/clock.ts";
import { withoutProbation } from "../../src/update/books.ts";
import type { BrokenKind, BrokenRound, Ending } from "./broken-downloads.ts";
import { FakeSwitch } from "./fake-switch.ts";
import { TestSigner } from "./minisign.ts";
import { type ReleaseDraft, ReleaseServer } from "./releases.ts";
import { RecordingLogger } from "./seams.ts";
import { takeoverOf, updaterOf } from "./takeover-bench.ts";

/** Models that come with a release, in which something is wrong: rounds beside those of the bare downloads. */

type Break = (server: ReleaseServer, draft: ReleaseDraft, round: BrokenRound) => void;

/** `code` is why it is refused; without one the release comes into use. */
function kind(name: string, code: string | undefined, change: Break): BrokenKind {
  const ends: Ending = code === undefined ? "installed" : "refused";
  return { name: `release: ${name}`, ends, run: async (round) => oneRelease(round, code, change) };
}

const path = "/models/release.json";

export const releaseKinds: readonly BrokenKind[] = [
  kind("cut on its way", undefined, (server, draft, { content, random }) => {
    server.publish(draft);
    const file = `/models/model/${draft.version ?? ""}/model.onnx`;
    const cutAt = Math.floor(random() * content.length);
    server.answers.set(file, (_request, response) => {
      server.answers.set(file, content);
      response.writeHead(200, { "content-length": content.length });
      response.write(content.subarray(0, cutAt), () => response.destroy());
    });
  }),
  kind("an old one replayed", "RELEASE_REPLAYED", (server, draft) => {
    server.publish({ ...draft, sequence: (draft.sequence ?? 2) - 2 });
  }),
  kind("expired", "RELEASE_EXPIRED", (server, draft) => {
    server.publish({ ...draft, expires: "2026-01-01T00:00:00Z" });
  }),
  kind("signed by somebody else", "RELEASE_SIGNATURE", (server, draft) => {
    server.publish(draft, new TestSigner(99));
  }),
  kind("one bit of it is another", "RELEASE_SIGNATURE", (server, draft, { random }) => {
    const file = Buffer.from(server.publish(draft));
    const at = Math.floor(random() * file.length);
    file[at] = (file[at] ?? 0) ^ 1;
    server.answers.set(path, file);
  }),
  kind("its signature is cut", "RELEASE_SIGNATURE", (server, draft, { random }) => {
    const signature = server.signer.sign(server.publish(draft));
    server.answers.set(`${path}.minisig`, signature.subarray(0, Math.floor(random() * (signature.length - 1))));
  }),
  kind("its checksum is of another file", "MODEL_CHECKSUM", (server, draft) => {
    server.publish({ ...draft, claims: { "model.onnx": { sha256: "0".repeat(64) } } });
  }),
];

async function oneRelease(round: BrokenRound, code: string | undefined, change: Break): Promise<void> {
  const { content, version, store } = round;
  const seams = { clock: new SystemClock(), random: round.random, log: new RecordingLogger() };
  const vision = new FakeSwitch();
  const prove = async () => Promise.resolve({ runMs: 1 });
  const keeping = takeoverOf({ folder: dirname(store.folder), vision, seams, prove });
  await using server = await ReleaseServer.open();
  const updater = updaterOf(keeping, { url: server.url, publicKey: server.signer.publicKey, vision, seams });
  const { takeover } = keeping;
  await takeover.guard();
  try {
    const sequence = 10 * (Number(version) + 1);
    const last = { sequence: sequence - 1, contentId: "before", isSettled: true, proofs: 0 };
    await takeover.books.update((now) => ({ ...now, last }));
    const files = { "model.onnx": content, "golden.jpg": Buffer.from("p"), "golden.json": Buffer.from("g") };
    change(server, { name: "model", version, sequence, files }, round);
    const error: unknown = await updater.check(new AbortController().signal).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    const found = error instanceof AgentError ? error.code : error;
    if (found !== code) throw new Error(`expected ${code ?? "success"}`, { cause: error });
  } finally {
    await takeover.books.update(withoutProbation);
    await takeover.stop();
  }
}
