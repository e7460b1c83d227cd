import Mocha from "mocha";

const { EVENT_TEST_PASS, EVENT_TEST_FAIL, EVENT_TEST_PENDING } = Mocha.Runner.constants;

/**
 * mocha's `spec` reporter, with one plain closing line of the runner's real counts. A skipped test says why through
 * its title (see programs.ts), so a skip is never silent.
 */
class ClosingLineReporter extends Mocha.reporters.Spec {
  #passed = 0;
  #failed = 0;
  #skipped = 0;

  constructor(runner: Mocha.Runner, options: Mocha.MochaOptions) {
    super(runner, options);
    runner.on(EVENT_TEST_PASS, () => (this.#passed += 1));
    runner.on(EVENT_TEST_FAIL, () => (this.#failed += 1));
    runner.on(EVENT_TEST_PENDING, () => (this.#skipped += 1));
  }

  override done(failures: number, callback: (failures: number) => void): void {
    process.stdout.write(`\n${this.#passed} passed, ${this.#failed} failed, ${this.#skipped} skipped\n`);
    callback(failures);
  }
}

// mocha loads a reporter by its path and takes the module's default export; a named one alone is not found.
export { ClosingLineReporter as "module.exports" };
