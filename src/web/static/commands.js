import { byId, show, say } from "./dom.js";

/** What is asked of the device: the same commands as over MQTT. What fails is shown, and stays until it is closed. */

const retryMs = 700;
const retriesMax = 90;

/** The data of its answer. Fails with an Error whose message is for a person. */
export async function ask(name, args = {}, { dry = false, hasEffect = true } = {}) {
  const id = hasEffect && !dry ? newId() : undefined;
  const body = JSON.stringify({ args, ...(dry ? { dry } : {}), ...(id === undefined ? {} : { id }) });
  for (let tries = 1; ; tries += 1) {
    const answer = await once(name, body);
    if (answer !== undefined) return answer;
    // A changed config starts everything anew, this server too: the same id then gets the answer.
    if (tries >= retriesMax) throw new Error("the device does not answer");
    await new Promise((resolve) => setTimeout(resolve, retryMs));
  }
}

/** Undefined where the device is not there just now. */
async function once(name, body) {
  let response;
  try {
    const headers = { "content-type": "application/json" };
    response = await fetch(`/api/commands/${name}`, { method: "POST", headers, body });
  } catch {
    return undefined;
  }
  if (response.status === 503) return undefined;
  if (response.status === 401) {
    location.assign("/login");
    return undefined;
  }
  const answer = await response.json().catch(() => ({}));
  if (answer.state === "done") return answer.data ?? {};
  if (answer.code === "interrupted") return undefined;
  throw new Error(answer.message ?? answer.code ?? answer.error ?? `status ${response.status}`);
}

/** `crypto.randomUUID` is only there on loopback and over HTTPS. */
function newId() {
  const random = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Runs an action of a button: at work, then what came of it. */
export async function act(node, what, work) {
  if (node.getAttribute("aria-busy") === "true") return undefined;
  node.setAttribute("aria-busy", "true");
  tell(`${what} …`);
  try {
    const said = await work();
    tell(typeof said === "string" ? said : `${what}: done`, "good");
    return true;
  } catch (error) {
    tell(`${what}: ${error.message}`, "bad");
    return false;
  } finally {
    node.removeAttribute("aria-busy");
  }
}

let closing;

export function tell(text, kind = "plain") {
  const notice = byId("notice");
  say(byId("notice-text"), text);
  notice.dataset.kind = kind;
  show(notice, true);
  clearTimeout(closing);
  if (kind === "good") closing = setTimeout(() => show(notice, false), 4_000);
}

byId("notice-close").addEventListener("click", () => show(byId("notice"), false));

/** True when the person says yes. */
export async function confirmed(title, text, yes) {
  const dialog = byId("ask");
  say(byId("ask-title"), title);
  say(byId("ask-text"), text);
  say(byId("ask-yes"), yes);
  dialog.returnValue = "no";
  dialog.showModal();
  await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
  return dialog.returnValue === "yes";
}
