import { ask } from "./commands.js";
import { byId, say } from "./dom.js";

/** The config in force, asked for when somebody wants to see it. */

let revision;
let shownRevision;

export function showConfigOf(now) {
  revision = now;
  void refresh();
}

async function refresh() {
  if (!byId("config").open || shownRevision === revision) return;
  shownRevision = revision;
  try {
    const { value } = await ask("config.get", {}, { hasEffect: false });
    say(byId("config-text"), JSON.stringify(value, null, 2));
  } catch (error) {
    shownRevision = undefined;
    say(byId("config-text"), `It could not be read: ${error.message}`);
  }
}

byId("config").addEventListener("toggle", () => void refresh());
