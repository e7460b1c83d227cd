/** On SIGUSR2 the main thread fails as libraries do: with an error that holds what it was sending. */
export function crashes(secretsJson: string): string {
  return `import { writeFileSync } from "node:fs";
import { isMainThread } from "node:worker_threads";
const secrets = ${secretsJson};
const said = Object.values(secrets).join(" ");
const config = { headers: { Token: said, Authorization: "Basic " + btoa("joe:" + said) }, data: { image: said, list: [said] } };
function fail() {
  const error = Object.assign(new Error("request failed: " + said), { config, code: said, request: { _header: said } });
  error.cause = new Error("because of " + encodeURIComponent(said));
  if (process.env.CRASH === "throw") throw error;
  if (process.env.CRASH === "reject") void Promise.reject({ isAxiosError: true, config, response: { data: said, headers: config.headers } });
  if (process.env.CRASH === "axios") void Promise.reject(error);
}
if (isMainThread) {
  process.on("SIGUSR2", () => setTimeout(fail, 1));
  if (process.env.CRASH_ARMED !== undefined) writeFileSync(process.env.CRASH_ARMED, "");
}
`;
}
