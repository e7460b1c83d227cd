import type { Json, RecordedAnswer } from "../fixture.ts";
import type { Answers } from "../recorder.ts";

/** What OneStepAI answers, as the sample of the document reads it. The body of an uploaded chunk is not known. */
export function onestepaiAnswers(): Answers {
  let categories = 0;
  return ({ path }) => {
    if (path === "/api/Users/SignIn") return { status: 200, body: { kind: "text", value: "made-up.test.jwt" } };
    if (path === "/api/Datasets") return json({ id: 514, name: "holy_hand_grenade" });
    if (path === "/api/Categories") {
      categories += 1;
      return json({ id: 76 + categories });
    }
    if (path.endsWith("/StartUploading")) return json(9031);
    return { status: 200, body: { kind: "none" } };
  };
}

function json(value: Json): RecordedAnswer {
  return { status: 200, body: { kind: "json", value } };
}
