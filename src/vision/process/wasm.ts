/**
 * A function of WebAssembly, written as bytes: just enough of the format for inner loops over one memory. Numbers of
 * sections, types and instructions are those of the core specification, chapter 5.
 */

interface Memory {
  readonly buffer: ArrayBuffer;
}

/** What of it is used: the types of Node leave it out, and an engine without a compiler has none. */
declare const WebAssembly: {
  readonly Memory: new (size: { readonly initial: number; readonly maximum: number }) => Memory;
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (
    module: object,
    imports: Readonly<Record<string, Readonly<Record<string, Memory>>>>,
  ) => { readonly exports: Readonly<Record<string, unknown>> };
};

const PAGE_BYTES = 65_536;
const I32 = 0x7f;

export const get = (local: number): readonly number[] => [0x20, local];
export const set = (local: number): readonly number[] => [0x21, local];
export const constant = (value: number): readonly number[] => [0x41, ...signed(value)];
export const add: readonly number[] = [0x6a];
export const shiftLeft: readonly number[] = [0x74];
export const isBelow: readonly number[] = [0x49];
/** The address is on the stack; so much is added to it. */
export const loadByte = (offset: number): readonly number[] => [0x2d, 0, ...unsigned(offset)];
export const loadFloat = (offset: number): readonly number[] => [0x2a, 2, ...unsigned(offset)];
export const storeFloat = (offset: number): readonly number[] => [0x38, 2, ...unsigned(offset)];
/** The body again as long as the condition holds after it: once at least. */
export const repeatWhile = (condition: readonly number[], body: readonly number[]): readonly number[] => [
  ...[0x03, 0x40],
  ...body,
  ...condition,
  ...[0x0d, 0],
  0x0b,
];

/** Memory that never grows: views of it stay valid. Throws where there is no WebAssembly, or no room. */
export function fixedMemory(sizeBytes: number): Memory {
  const pages = Math.ceil(sizeBytes / PAGE_BYTES);
  return new WebAssembly.Memory({ initial: pages, maximum: pages });
}

/** Its parameters are the first locals; all are 32-bit whole numbers. Throws where there is no WebAssembly. */
export function compiled(parameters: number, code: readonly number[], memory: Memory): (...values: number[]) => void {
  const pages = unsigned(memory.buffer.byteLength / PAGE_BYTES);
  const bytes = [
    ...[0x00, ...text("asm"), 1, 0, 0, 0],
    ...section(1, [0x60, ...vector(Array.from({ length: parameters }, () => [I32])), 0]),
    ...section(2, [...name("m"), ...name("memory"), 0x02, 0x01, ...pages, ...pages]),
    ...section(3, [0]),
    ...section(7, [...name("run"), 0x00, 0]),
    ...section(10, sized([...unsigned(0), ...code, 0x0b])),
  ];
  const module = new WebAssembly.Module(Uint8Array.from(bytes));
  const { run } = new WebAssembly.Instance(module, { m: { memory } }).exports;
  if (typeof run !== "function") throw new Error("the module has no function");
  return run as (...values: number[]) => void;
}

/** Of one entry. */
function section(id: number, entry: readonly number[]): readonly number[] {
  return [id, ...sized(vector([entry]))];
}

function vector(entries: readonly (readonly number[])[]): readonly number[] {
  return [...unsigned(entries.length), ...entries.flat()];
}

function name(value: string): readonly number[] {
  return sized(text(value));
}

function sized(bytes: readonly number[]): readonly number[] {
  return [...unsigned(bytes.length), ...bytes];
}

function text(value: string): readonly number[] {
  return [...Buffer.from(value)];
}

/** LEB128: seven bits a byte, the lowest first. */
function unsigned(value: number): readonly number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)];
}

function signed(value: number): readonly number[] {
  return value >= -0x40 && value < 0x40 ? [value & 0x7f] : [(value & 0x7f) | 0x80, ...signed(value >> 7)];
}
