/** JPEGs made by hand: complete to every marker, with pixels that nobody needs to look at. */

export function segment(marker: number, body: Buffer): Buffer {
  const head = Buffer.from([0xff, marker, 0, 0]);
  head.writeUInt16BE(body.length + 2, 2);
  return Buffer.concat([head, body]);
}

/** `extra` stands before the frame header. */
export function handmadeJpeg(width: number, height: number, ...extra: readonly Buffer[]): Buffer {
  const header = Buffer.from([8, 0, 0, 0, 0, 1, 1, 0x11, 0]);
  header.writeUInt16BE(height, 1);
  header.writeUInt16BE(width, 3);
  const data = Buffer.from([1, 0xff, 0, 2, 3]);
  const scan = segment(0xda, Buffer.from([1, 1, 0, 0, 63, 0]));
  return Buffer.concat([
    Buffer.from([0xff, 0xd8]),
    ...extra,
    segment(0xc0, header),
    scan,
    data,
    Buffer.from([0xff, 0xd9]),
  ]);
}

/** EXIF with an orientation and a recognisable text, as a place would be. */
export function exifSegment(orientation: number, text = ""): Buffer {
  const tiff = Buffer.alloc(26);
  tiff.write("II*\0", 0, "latin1");
  tiff.writeUInt32LE(8, 4);
  tiff.writeUInt16LE(1, 8);
  tiff.writeUInt16LE(0x0112, 10);
  tiff.writeUInt16LE(3, 12);
  tiff.writeUInt32LE(1, 14);
  tiff.writeUInt16LE(orientation, 18);
  return segment(0xe1, Buffer.concat([Buffer.from("Exif\0\0", "latin1"), tiff, Buffer.from(text, "latin1")]));
}

/** Small, and told apart from all others by its number. */
export function numberedJpeg(number: number): Buffer {
  return handmadeJpeg(64, 48, segment(0xfe, Buffer.from(`number ${number} `.padEnd(120, "."))));
}

export function numberOf(jpeg: Buffer | undefined): number {
  return Number(/number (\d+) /.exec(jpeg?.toString("latin1") ?? "")?.[1] ?? NaN);
}
