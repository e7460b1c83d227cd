// What CI checks beside the tests. Each step says what it found; the first failure ends the run with its exit status.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

function run(title, command, ...words) {
  process.stdout.write(`\n== ${title}\n`);
  const { status } = spawnSync(command, words, { stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}

/** True when a `node` engines range admits 20.19.0. Covers the forms that registry packages use. */
function admitsNode2019(range) {
  return range.split("||").some((alternative) =>
    alternative
      .trim()
      .split(/\s+(?=[<>=^~]|\d)/)
      .every((comparator) => {
        const parts = /^(>=|<=|>|<|\^|~|=)?\s*v?(\d+|\*|x)(?:\.(\d+|x|\*))?(?:\.(\d+|x|\*))?/.exec(comparator.trim());
        if (parts === null) return comparator.trim() === "" || comparator.trim() === "*";
        const [, operator = "=", major, minor = "x", patch = "x"] = parts;
        if (major === "*" || major === "x") return true;
        const number = (text) => (text === "x" || text === "*" ? 0 : Number(text));
        const wanted = [Number(major), number(minor), number(patch)];
        const order = 20 - wanted[0] || 19 - wanted[1] || 0 - wanted[2];
        if (operator === ">=") return order >= 0;
        if (operator === ">") return order > 0;
        if (operator === "<") return order < 0;
        if (operator === "<=")
          return order <= 0 || (20 === wanted[0] && (minor === "x" || (19 === wanted[1] && patch === "x")));
        if (operator === "^") return wanted[0] === 20 && order >= 0;
        if (operator === "~") return wanted[0] === 20 && (minor === "x" || wanted[1] === 19) && order >= 0;
        return wanted[0] === 20 && (minor === "x" || (wanted[1] === 19 && (patch === "x" || wanted[2] === 0)));
      }),
  );
}

function checkLockFile() {
  process.stdout.write(
    "\n== lock file: every package allows Node 20.19.0, install scripts are denied, nothing names a registry\n",
  );
  for (const [range, expected] of [
    [">=20.19.0", true],
    ["^20.19.0 || >=22.12.0", true],
    [">=22", false],
    ["^18 || ^20.20.0", false],
    [">= 14.17", true],
    ["*", true],
    ["20.x || 22.x", true],
    [">=16.20.0 <20", false],
    ["^22.12.0 || >=24", false],
  ]) {
    if (admitsNode2019(range) !== expected) fail(`the range check itself is wrong about "${range}"`);
  }
  const lock = JSON.parse(readFileSync("package-lock.json", "utf8"));
  const { allowScripts } = JSON.parse(readFileSync("package.json", "utf8"));
  const packages = Object.entries(lock.packages).filter(([path]) => path !== "");
  if (packages.length < 100) fail(`only ${packages.length} packages seen`);
  for (const [path, entry] of packages) {
    const name = path.replace(/^.*node_modules\//, "");
    if (entry.engines?.node !== undefined && !admitsNode2019(entry.engines.node)) {
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

run("types", "npx", "tsc", "-p", "tsconfig.json");
run("ESLint", "npx", "eslint", ".");
run("Prettier", "npx", "prettier", "--check", "--log-level", "warn", ".");
run("knip", "npx", "knip");
run("architecture", "npx", "mocha", "--no-config", "dist/test/unit/architecture.test.js");
checkLockFile();
run("generated documents are fresh", process.execPath, "dist/agent/generate.js", "--check");
run("coverage", "npx", "c8", "--check-coverage", "node", "scripts/run-tests.mjs", "--reporter", "dot");
