// What CI checks beside the tests. Each step says what it found; the first failure ends the run with its exit status.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import semver from "semver";

function run(title, command, ...words) {
  process.stdout.write(`\n== ${title}\n`);
  const { status } = spawnSync(command, words, { stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}

function checkLockFile() {
  process.stdout.write(
    "\n== lock file: every package allows Node 20.19.0, install scripts are denied, nothing names a registry\n",
  );
  const lock = JSON.parse(readFileSync("package-lock.json", "utf8"));
  const { allowScripts } = JSON.parse(readFileSync("package.json", "utf8"));
  const packages = Object.entries(lock.packages).filter(([path]) => path !== "");
  if (packages.length < 100) fail(`only ${packages.length} packages seen`);
  for (const [path, entry] of packages) {
    const name = path.replace(/^.*node_modules\//, "");
    if (entry.engines?.node !== undefined && !semver.satisfies("20.19.0", entry.engines.node)) {
      fail(`${path} ${entry.version} wants Node ${entry.engines.node}`);
    }
    if (entry.hasInstallScript === true && allowScripts[name] !== false)
      fail(`${path} has an install script that is not denied`);
    if (entry.resolved !== undefined) fail(`${path} names a registry address`);
  }
  process.stdout.write(`${packages.length} packages\n`);
}

function fail(why) {
  process.stderr.write(`${why}\n`);
  process.exit(1);
}

run("types", process.execPath, "node_modules/typescript-native/bin/tsc", "-p", "tsconfig.json");
run("ESLint", "npx", "eslint", ".");
run("Prettier", "npx", "prettier", "--check", "--log-level", "warn", ".");
run("knip", "npx", "knip");
run("architecture", "npx", "mocha", "--no-config", "dist/test/unit/architecture.test.js");
checkLockFile();
run("generated documents are fresh", process.execPath, "dist/agent/generate.js", "--check");
run("coverage", "npx", "c8", "--check-coverage", "node", "scripts/run-tests.mjs", "--reporter", "dot");
checkCoverageWasMeasured();

/** A filter that matches nothing reports 0 of 0 lines and holds every threshold. */
function checkCoverageWasMeasured() {
  const { total } = JSON.parse(readFileSync("coverage/coverage-summary.json", "utf8"));
  if (total.lines.total < 10_000) fail(`coverage saw only ${total.lines.total} lines`);
}
