/**
 * The Huffman tables that a motion JPEG leaves out when it means "the usual ones": ITU-T T.81 (09/92), Annex K.3, tables
 * K.3 to K.6. UVC cameras send such frames; libjpeg knows what is meant, and many other decoders refuse them.
 *
 * Each table is 16 numbers of codes, for lengths 1 to 16, then the values in the order of their codes (T.81 B.2.4.2).
 */
const dcValues = "000102030405060708090a0b";
const tables = [
  { slot: 0x00, lengths: "00010501010101010100000000000000", values: dcValues },
  { slot: 0x01, lengths: "00030101010101010101010000000000", values: dcValues },
  {
    slot: 0x10,
    lengths: "0002010303020403050504040000017d",
    values:
      "01020300041105122131410613516107227114328191a1082342b1c11552d1f02433627282090a161718191a25262728292a3435363738" +
      "393a434445464748494a535455565758595a636465666768696a737475767778797a838485868788898a92939495969798999aa2a3a4a5" +
      "a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae1e2e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9fa",
  },
  {
    slot: 0x11,
    lengths: "00020102040403040705040400010277",
    values:
      "000102031104052131061241510761711322328108144291a1b1c109233352f0156272d10a162434e125f11718191a262728292a353637" +
      "38393a434445464748494a535455565758595a636465666768696a737475767778797a82838485868788898a92939495969798999aa2a3" +
      "a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae2e3e4e5e6e7e8e9eaf2f3f4f5f6f7f8f9fa",
  },
] as const;

/** As one DHT segment. */
export const standardHuffmanTables: Buffer = segmentOf();

function segmentOf(): Buffer {
  const bodies = tables.map(({ slot, lengths, values }) =>
    Buffer.concat([Buffer.from([slot]), Buffer.from(lengths + values, "hex")]),
  );
  const body = Buffer.concat(bodies);
  const head = Buffer.from([0xff, 0xc4, 0, 0]);
  head.writeUInt16BE(body.length + 2, 2);
  return Buffer.concat([head, body]);
}
