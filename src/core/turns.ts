/** One piece of work at a time, in the order of asking. Who asks again goes to the end, so everybody gets a turn. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  async take<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const before = this.#last;
    let done = () => {};
    this.#last = new Promise<void>((resolve) => {
      done = resolve;
    });
    try {
      await before;
      signal.throwIfAborted();
      return await work();
    } finally {
      done();
    }
  }
}
