/** Candidate boxes in typed arrays, and greedy non-maximum suppression over them. */

const CAPACITY_FIRST = 256;
/** Row numbers fit in this many values; more rows than any output has. */
const ROWS_MAX = 2 ** 21;
/** More classes than any model has. */
const CLASSES_MAX = 2 ** 20;

/** A candidate's edges in input pixels, and the row of the output that it was read from. */
export interface Outlined {
  readonly row: number;
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** Boxes by their edges in input pixels. Kept from frame to frame: a frame allocates nothing once it has grown. */
export class Candidates {
  left = new Float32Array(CAPACITY_FIRST);
  top = new Float32Array(CAPACITY_FIRST);
  right = new Float32Array(CAPACITY_FIRST);
  bottom = new Float32Array(CAPACITY_FIRST);
  score = new Float32Array(CAPACITY_FIRST);
  classIndex = new Int32Array(CAPACITY_FIRST);
  /** Where in the output it was read from, for families that look there again. */
  row = new Int32Array(CAPACITY_FIRST);
  count = 0;

  clear(): void {
    this.count = 0;
  }

  /**
   * Ignores what is no box (an edge that is not finite, or no area), no score and no class: half precision overflows, and
   * neither may pass for class 0 or sort above all others.
   */
  add(left: number, top: number, right: number, bottom: number, score: number, classIndex: number, row = 0): void {
    if (!(right > left && bottom > top && right - left < Infinity && bottom - top < Infinity)) return;
    if (!(score > 0 && score < Infinity && classIndex >= 0 && classIndex < CLASSES_MAX)) return;
    const at = this.count;
    if (at === ROWS_MAX) return;
    if (at === this.score.length) this.#grow();
    this.left[at] = left;
    this.top[at] = top;
    this.right[at] = right;
    this.bottom[at] = bottom;
    this.score[at] = score;
    this.classIndex[at] = classIndex;
    this.row[at] = row;
    this.count = at + 1;
  }

  /** For taking some out: the place copied to is one that is not needed any more. */
  copy(from: number, to: number): void {
    if (from === to) return;
    this.left[to] = this.left[from] ?? 0;
    this.top[to] = this.top[from] ?? 0;
    this.right[to] = this.right[from] ?? 0;
    this.bottom[to] = this.bottom[from] ?? 0;
    this.score[to] = this.score[from] ?? 0;
    this.classIndex[to] = this.classIndex[from] ?? 0;
    this.row[to] = this.row[from] ?? 0;
  }

  at(index: number): Outlined {
    return {
      row: this.row[index] ?? 0,
      left: this.left[index] ?? 0,
      top: this.top[index] ?? 0,
      right: this.right[index] ?? 0,
      bottom: this.bottom[index] ?? 0,
    };
  }

  #grow(): void {
    this.left = doubled(this.left);
    this.top = doubled(this.top);
    this.right = doubled(this.right);
    this.bottom = doubled(this.bottom);
    this.score = doubled(this.score);
    this.classIndex = doubledInts(this.classIndex);
    this.row = doubledInts(this.row);
  }
}

export interface SuppressOptions {
  /** Of two boxes that share more than this, the weaker goes; 1 keeps all. */
  readonly iouMax: number;
  readonly classAgnostic: boolean;
  readonly candidatesMax: number;
  readonly detectionsMax: number;
}

/** Indices of the boxes that stay, best first. */
export function suppress(candidates: Candidates, options: SuppressOptions): readonly number[] {
  const kept: number[] = [];
  const order = bestFirst(candidates);
  const last = Math.min(order.length, options.candidatesMax);
  for (let rank = 0; rank < last && kept.length < options.detectionsMax; rank += 1) {
    const index = order[rank] ?? 0;
    if (options.iouMax >= 1 || !isCovered(candidates, index, kept, options)) kept.push(index);
  }
  return kept;
}

function isCovered(boxes: Candidates, index: number, kept: readonly number[], options: SuppressOptions): boolean {
  const { left, top, right, bottom, classIndex } = boxes;
  const l = left[index] ?? 0;
  const t = top[index] ?? 0;
  const r = right[index] ?? 0;
  const b = bottom[index] ?? 0;
  const area = (r - l) * (b - t);
  for (const other of kept) {
    if (!options.classAgnostic && classIndex[other] !== classIndex[index]) continue;
    const otherLeft = left[other] ?? 0;
    const otherTop = top[other] ?? 0;
    const otherRight = right[other] ?? 0;
    const otherBottom = bottom[other] ?? 0;
    const width = Math.min(r, otherRight) - Math.max(l, otherLeft);
    const height = Math.min(b, otherBottom) - Math.max(t, otherTop);
    if (width <= 0 || height <= 0) continue;
    const shared = width * height;
    const union = area + (otherRight - otherLeft) * (otherBottom - otherTop) - shared;
    if (shared > options.iouMax * union) return true;
  }
  return false;
}

/**
 * Indices by falling score, earlier rows first among equals. The bits of a positive float sort like the float itself,
 * so that score and row fit in one number and the engine's own numeric sort does the work, without a comparison
 * function.
 */
function bestFirst(candidates: Candidates): Uint32Array {
  const count = candidates.count;
  const bits = new Uint32Array(candidates.score.buffer, 0, count);
  const keys = new Float64Array(count);
  for (let index = 0; index < count; index += 1) keys[index] = (bits[index] ?? 0) * ROWS_MAX + (ROWS_MAX - 1 - index);
  keys.sort();
  const order = new Uint32Array(count);
  for (let rank = 0; rank < count; rank += 1) order[rank] = ROWS_MAX - 1 - ((keys[count - 1 - rank] ?? 0) % ROWS_MAX);
  return order;
}

function doubled(array: Float32Array<ArrayBuffer>): Float32Array<ArrayBuffer> {
  const larger = new Float32Array(array.length * 2);
  larger.set(array);
  return larger;
}

function doubledInts(array: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(array.length * 2);
  larger.set(array);
  return larger;
}
