import type { Queue } from "../../src/core/queue.ts";

/** A queue whose methods can be replaced one by one. */
export function methodsOf(queue: Queue): Queue {
  return {
    stats: async () => await queue.stats(),
    list: async (page) => await queue.list(page),
    find: async (reference) => await queue.find(reference),
    image: async (sequence) => await queue.image(sequence),
    sent: async (page) => await queue.sent(page),
    retry: async (selection, after) => await queue.retry(selection, after),
    drop: async (selection, after) => await queue.drop(selection, after),
    count: async (selection, after) => await queue.count(selection, after),
    hasten: async (selection, after) => await queue.hasten(selection, after),
    prioritize: async (selection, after) => await queue.prioritize(selection, after),
    verify: async (after, repair) => await queue.verify(after, repair),
    hold: async (request) => await queue.hold(request),
    held: async (sequence) => await queue.held(sequence),
    release: async (sequence) => await queue.release(sequence),
    giveBack: async (sequences) => await queue.giveBack(sequences),
    takeIn: async (moved) => await queue.takeIn(moved),
  };
}
