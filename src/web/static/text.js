/** Figures and times as people say them. */

let serverAheadMs = 0;

/** The device's clock counts: that of whoever looks may be another. */
export function setServerTime(nowMs) {
  serverAheadMs = nowMs - Date.now();
}

export function serverNow() {
  return Date.now() + serverAheadMs;
}

const units = [
  [86_400_000, "d"],
  [3_600_000, "h"],
  [60_000, "min"],
  [1_000, "s"],
];

export function span(ms) {
  const [unitMs, unit] = units.find(([unitMs]) => ms >= unitMs) ?? units.at(-1);
  return `${Math.floor(Math.max(0, ms) / unitMs)} ${unit}`;
}

export function ago(atMs) {
  const ms = serverNow() - atMs;
  return ms < 1_500 ? "now" : `${span(ms)} ago`;
}

/** `Mon 18:00, in 3 h`, by the clock of whoever looks. */
export function moment(atMs) {
  const inMs = atMs - serverNow();
  const time = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  const day = inMs < 6 * 86_400_000 ? { weekday: "short" } : { day: "numeric", month: "short" };
  return `${new Date(atMs).toLocaleString("en-GB", { ...day, ...time })}, in ${span(inMs)}`;
}

export function bytes(count) {
  if (count < 1_000) return `${count} B`;
  const [unit, size] = count < 1e6 ? ["kB", 1e3] : count < 1e9 ? ["MB", 1e6] : ["GB", 1e9];
  const value = count / size;
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${unit}`;
}

export function plural(count, one, many = `${one}s`) {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}

/** `red 2, blue 1` */
export function tallied(labels) {
  const counts = new Map();
  for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1);
  return [...counts].map(([label, count]) => (count === 1 ? label : `${label} ${count}`)).join(", ");
}
