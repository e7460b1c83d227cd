const cells = 24;

/** `[######..................]  25%`, for the status line. A total of nothing is done. */
export function progressBar(done: number, total: number): string {
  const share = total <= 0 ? 1 : Math.min(1, Math.max(0, done / total));
  const full = Math.floor(share * cells);
  const percent = String(Math.floor(share * 100)).padStart(3);
  return `[${"#".repeat(full)}${".".repeat(cells - full)}] ${percent}%`;
}
