import type { Clock } from "./clock.ts";
import type { Random } from "./ports.ts";

/**
 * ULIDs (github.com/ulid/spec): 48 bits of milliseconds, 80 random bits, written in Crockford's base32 so that text
 * order is time order. Within one millisecond the random part counts up, so that records of one burst stay in order.
 */

const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const timeDigits = 10;
const randomDigits = 16;

export class Ulids {
  readonly #clock: Clock;
  readonly #random: Random;
  #lastMs = -1;
  #tail: number[] = [];

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  next(): string {
    const nowMs = Math.max(0, Math.floor(this.#clock.nowMs()));
    if (nowMs === this.#lastMs) countUp(this.#tail);
    else this.#tail = Array.from({ length: randomDigits }, () => Math.floor(this.#random() * 32));
    this.#lastMs = nowMs;
    return base32OfTime(nowMs) + this.#tail.map((digit) => alphabet.charAt(digit)).join("");
  }
}

/** The 16 bytes of a ULID; throws a RangeError when `id` is none. */
export function ulidBytes(id: string): Buffer {
  let value = 0n;
  for (const character of id) {
    const digit = alphabet.indexOf(character);
    if (digit === -1) throw new RangeError(`not a ULID: ${id.slice(0, 40)}`);
    value = (value << 5n) | BigInt(digit);
  }
  if (id.length !== timeDigits + randomDigits || value >> 128n !== 0n) throw new RangeError(`not a ULID: ${id}`);
  return Buffer.from(value.toString(16).padStart(32, "0"), "hex");
}

export function ulidOfBytes(bytes: Buffer): string {
  let value = BigInt(`0x${bytes.toString("hex", 0, 16)}`);
  let text = "";
  for (let place = 0; place < timeDigits + randomDigits; place += 1) {
    text = alphabet.charAt(Number(value & 31n)) + text;
    value >>= 5n;
  }
  return text;
}

function base32OfTime(ms: number): string {
  let rest = ms;
  let text = "";
  for (let place = 0; place < timeDigits; place += 1) {
    text = alphabet.charAt(rest % 32) + text;
    rest = Math.floor(rest / 32);
  }
  return text;
}

/** Overflow of all 80 bits within one millisecond wraps: it needs 2^79 records in that millisecond. */
function countUp(digits: number[]): void {
  for (let place = digits.length - 1; place >= 0; place -= 1) {
    const digit = digits[place] ?? 0;
    digits[place] = (digit + 1) % 32;
    if (digit !== 31) return;
  }
}
