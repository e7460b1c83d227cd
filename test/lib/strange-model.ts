/** A valid ONNX file whose one output no family has: `y = Identity(x)`. */
export function strangeModel(): Buffer {
  const varint = (value: number): Buffer =>
    value < 128 ? Buffer.from([value]) : Buffer.from([(value & 127) | 128, value >> 7]);
  const field = (number: number, value: Buffer | string): Buffer => {
    const bytes = Buffer.from(value);
    return Buffer.concat([varint((number << 3) | 2), varint(bytes.length), bytes]);
  };
  const integer = (number: number, value: number): Buffer => Buffer.concat([varint(number << 3), varint(value)]);
  const size = (value: number) => field(1, integer(1, value));
  const shape = field(2, Buffer.concat([1, 3, 32, 32].map(size)));
  const tensor = (name: string) =>
    Buffer.concat([field(1, name), field(2, field(1, Buffer.concat([integer(1, 1), shape])))]);
  const node = Buffer.concat([field(1, "x"), field(2, "y"), field(4, "Identity")]);
  const graph = Buffer.concat([field(1, node), field(2, "strange"), field(11, tensor("x")), field(12, tensor("y"))]);
  return Buffer.concat([integer(1, 8), field(8, integer(2, 13)), field(7, graph)]);
}
