import { act, ask, confirmed, tell } from "./commands.js";
import { byId, button, element, list, say, show } from "./dom.js";
import { ago, bytes, plural, span } from "./text.js";

/** What is kept and owed, and what was set aside for good. */

let aside = 0;
let waitingIsShown = false;
let shownCounts = "";

export function showQueue({ answers, records, bytes: size, capBytes, oldestAgeMs, evicting, lost }) {
  if (!answers) {
    say(byId("queue-facts"), "The buffer on disk does not answer.");
    return;
  }
  say(byId("queue-facts"), `${plural(records, "record")} · ${bytes(size)} of ${bytes(capBytes)}`);
  byId("queue-full").value = size / capBytes;
  const oldest =
    oldestAgeMs === undefined || records === 0 ? "Nothing waits." : `The oldest is ${span(oldestAgeMs)} old.`;
  const gone = lost === 0 ? "" : ` ${plural(lost, "delivery was", "deliveries were")} given up so far.`;
  say(byId("queue-more"), `${oldest}${evicting ? " Records go to make room for newer ones." : ""}${gone}`);
}

/** Lists are asked for when what they show has changed. */
export function showWaitingOf(targets) {
  const sum = (key) => targets.reduce((total, target) => total + target[key], 0);
  aside = sum("quarantined");
  const counts = `${sum("pending")} ${aside}`;
  if (counts === shownCounts) return;
  shownCounts = counts;
  void showAside();
  if (waitingIsShown) void showWaiting();
}

async function showAside() {
  say(byId("quarantine-count"), aside === 0 ? "" : aside.toLocaleString("en"));
  show(byId("quarantine-empty"), aside === 0);
  show(byId("quarantine-actions"), aside > 0);
  const data = aside === 0 ? { records: [] } : await listed("quarantine.list", {});
  if (data === undefined) return;
  list(byId("quarantine"), data.records, ({ sequence }) => sequence, asideRow);
  say(byId("quarantine-note"), data.next === undefined || aside <= data.records.length ? "" : "The oldest are shown.");
}

async function showWaiting() {
  const data = await listed("queue.list", { state: "pending" });
  if (data === undefined || !waitingIsShown) return;
  list(
    byId("waiting"),
    data.records.length === 0 ? [{}] : data.records,
    ({ sequence }) => sequence ?? "none",
    waitingRow,
  );
}

async function listed(command, args) {
  return ask(command, { limit: 20, ...args }, { hasEffect: false }).catch((error) => {
    tell(`Listing records: ${error.message}`, "bad");
    return undefined;
  });
}

function asideRow(record) {
  const { sequence } = record;
  const why = record.owed.filter(({ state }) => state === "quarantined");
  const retry = button("Retry", () => retryAside(retry, `Retrying record ${sequence}`, { records: [sequence] }), {
    "aria-label": `Retry record ${sequence}`,
  });
  const drop = button("Drop…", () => dropAside(drop, `record ${sequence}`, { records: [sequence] }), {
    "aria-label": `Drop record ${sequence}`,
    class: "danger",
  });
  return element(
    "li",
    { class: "block record" },
    recordHeading(record),
    ...why.map(({ target, error }) => element("p", { class: "problem" }, `${target}: ${error ?? "set aside"}`)),
    element("div", { class: "actions" }, retry, drop),
  );
}

function waitingRow(record) {
  const { sequence, owed } = record;
  if (sequence === undefined) return element("li", { class: "empty" }, "Nothing waits.");
  const targets = owed.filter(({ state }) => state === "pending").map(({ target }) => target);
  const drop = button("Drop…", () => dropWith("queue.purge", drop, `record ${sequence}`, { records: [sequence] }), {
    "aria-label": `Drop record ${sequence}`,
    class: "danger",
  });
  return element(
    "li",
    { class: "block record" },
    recordHeading(record, `for ${targets.join(", ")}`),
    element("div", { class: "actions" }, drop),
  );
}

function recordHeading({ sequence, camera, capturedAtMs, labels, bytes: size }, more) {
  const what = labels.length === 0 ? "nothing detected" : labels.join(", ");
  return element(
    "div",
    { class: "heading" },
    element("strong", {}, `#${sequence}`),
    element("span", {}, what),
    element("span", { class: "hint" }, [camera, bytes(size), ago(capturedAtMs), more].filter(Boolean).join(" · ")),
  );
}

async function retryAside(node, what, args) {
  await act(node, what, async () => {
    const { deliveries } = await ask("quarantine.requeue", args);
    return `${plural(deliveries, "delivery is", "deliveries are")} owed again`;
  });
}

async function dropAside(node, what, args) {
  await dropWith("quarantine.purge", node, what, args);
}

/** Counted first: what is given up is what the person has agreed to, and nothing that came after. */
async function dropWith(command, node, what, args) {
  let counted;
  try {
    counted = await ask(command, args, { dry: true });
  } catch (error) {
    tell(`Dropping ${what}: ${error.message}`, "bad");
    return;
  }
  const total = counted.deliveries + counted.busy;
  const text = `${plural(total, "delivery", "deliveries")} will never be made, and a record that nobody is owed is deleted. This cannot be undone.`;
  if (!(await confirmed(`Drop ${what}?`, text, "Drop"))) return;
  await act(node, `Dropping ${what}`, async () => {
    const { deliveries } = await ask(command, { ...args, token: counted.token });
    return `${plural(deliveries, "delivery", "deliveries")} given up`;
  });
}

byId("retry-all").addEventListener("click", ({ currentTarget }) => retryAside(currentTarget, "Retrying all", {}));
byId("drop-all").addEventListener("click", ({ currentTarget }) =>
  dropAside(currentTarget, "all that is set aside", {}),
);
byId("flush").addEventListener("click", ({ currentTarget }) =>
  act(currentTarget, "Sending now", async () => {
    const { targets } = await ask("queue.flush");
    const waiting = targets.reduce((total, target) => total + (target.waiting ?? 0), 0);
    return waiting === 0 ? "Nothing waits" : `${plural(waiting, "delivery is", "deliveries are")} tried now`;
  }),
);
byId("waiting-show").addEventListener("click", ({ currentTarget }) => {
  waitingIsShown = !waitingIsShown;
  currentTarget.setAttribute("aria-expanded", String(waitingIsShown));
  say(currentTarget, waitingIsShown ? "Hide what waits" : "Show what waits");
  show(byId("waiting"), waitingIsShown);
  if (waitingIsShown) void showWaiting();
});
