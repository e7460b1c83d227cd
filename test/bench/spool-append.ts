import { measuredByChild } from "./child.ts";
import { slowDisk, slowerByMs } from "./slow-disk.ts";
import { tempFolder } from "../lib/temp.ts";
import { atMost, type BenchTable, rounded, type Verdict } from "./table.ts";

interface Form {
  readonly name: string;
  readonly sizeBytes: number;
  readonly rounds: number;
  readonly perRound: number;
  readonly timesBareMax: number;
  readonly environment?: Readonly<Record<string, string>>;
}

/** How long one record takes to become durable, against a bare write + fsync of the same bytes in the same run. */
export async function spoolAppend(): Promise<BenchTable> {
  await using folder = await tempFolder();
  const slow = slowDisk(folder.path);
  const fast = { rounds: 15, perRound: 40, timesBareMax: 1.8 };
  const forms: Form[] = [
    { ...fast, name: "100 KB", sizeBytes: 100_000 },
    { ...fast, name: "200 KB", sizeBytes: 200_000 },
  ];
  if (slow.environment !== undefined) {
    const name = `100 KB, each fsync ${slowerByMs} ms longer`;
    const { environment } = slow;
    forms.push({ name, sizeBytes: 100_000, rounds: 5, perRound: 40, timesBareMax: 1.15, environment });
  }
  const rows: (string | number)[][] = [];
  const verdicts: Verdict[] = [];
  for (const form of forms) {
    const words = [form.sizeBytes, form.rounds, form.perRound];
    const {
      bareMs = NaN,
      appendMs = NaN,
      ...more
    } = await measuredByChild("spool-append-child", words, form.environment);
    const { lowest = NaN, highest = NaN, fourMs = NaN, encryptedMs = NaN } = more;
    const ratio = rounded(appendMs / bareMs, 2);
    const spread = `${rounded(lowest, 2)} to ${rounded(highest, 2)}`;
    rows.push([
      form.name,
      rounded(bareMs, 2),
      rounded(appendMs, 2),
      ratio,
      spread,
      rounded(fourMs, 2),
      rounded(encryptedMs, 2),
    ]);
    verdicts.push(atMost(`append / bare write + fsync, ${form.name}`, ratio, form.timesBareMax));
  }
  return {
    title: "Spool: append one record, owed to two targets",
    columns: [
      "image",
      "bare write + fsync, ms",
      "append, ms",
      "ratio",
      "in single rounds",
      "append, 4 at a time, ms each",
      "append encrypted, ms",
    ],
    rows,
    verdicts,
    ...(slow.environment === undefined ? { leftOut: [slow.leftOut] } : {}),
  };
}
