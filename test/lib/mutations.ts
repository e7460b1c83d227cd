import type { Random } from "../../src/core/ports.ts";

/** Damage as it happens to files: bits that flip, ends that are missing, parts that come from elsewhere, lengths that lie. */

type Mutation = (bytes: Buffer, random: Random, other: Buffer) => Buffer;

const flips: Mutation = (bytes, random) => {
  const damaged = Buffer.from(bytes);
  const count = 1 + below(random, 8);
  for (let flip = 0; flip < count; flip += 1) damaged[below(random, damaged.length)] = below(random, 256);
  return damaged;
};

const truncated: Mutation = (bytes, random) => Buffer.from(bytes.subarray(0, below(random, bytes.length)));

const spliced: Mutation = (bytes, random, other) => {
  const from = below(random, other.length);
  const part = other.subarray(from, from + below(random, 2_000));
  const at = below(random, bytes.length);
  return Buffer.concat([bytes.subarray(0, at), part, bytes.subarray(at + (random() < 0.5 ? part.length : 0))]);
};

/** A stretch set to what lengths and sizes look like at their ends. */
const lying: Mutation = (bytes, random) => {
  const damaged = Buffer.from(bytes);
  const values = [0x00, 0x01, 0x7f, 0x80, 0xff];
  const at = below(random, damaged.length);
  const value = values[below(random, values.length)] ?? 0;
  damaged.fill(value, at, Math.min(damaged.length, at + 1 + below(random, 8)));
  return damaged;
};

/** A longer number where a small one was: sizes of tensors, counts, offsets of protocol buffers. */
const swollen: Mutation = (bytes, random) => {
  const at = near(bytes, random, (byte) => byte > 0 && byte < 0x80);
  const digits = 1 + below(random, 9);
  const number = Buffer.from([...Array.from({ length: digits }, () => 0x80 | below(random, 128)), below(random, 128)]);
  return Buffer.concat([bytes.subarray(0, at), number, bytes.subarray(at + 1)]);
};

const cutOut: Mutation = (bytes, random) => {
  const at = below(random, bytes.length);
  return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + below(random, 200))]);
};

const mutations: readonly Mutation[] = [flips, flips, truncated, spliced, lying, swollen, cutOut];

export function mutated(bytes: Buffer, random: Random, other: Buffer): Buffer {
  const mutation = mutations[below(random, mutations.length)] ?? flips;
  return mutation(bytes, random, other);
}

/** Headers tell most of a file's sizes: half of what is damaged lies in the first kilobyte. */
function near(bytes: Buffer, random: Random, fits: (byte: number) => boolean): number {
  const last = random() < 0.5 ? Math.min(bytes.length, 1_024) : bytes.length;
  for (let tries = 0; tries < 20; tries += 1) {
    const at = below(random, last);
    if (fits(bytes[at] ?? 0)) return at;
  }
  return below(random, last);
}

function below(random: Random, end: number): number {
  return Math.floor(random() * end);
}
