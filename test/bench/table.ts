export interface BenchVerdict {
  readonly name: string;
  readonly value: number;
  readonly bound: string;
  readonly holds: boolean;
}

export interface BenchTable {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | number)[])[];
  readonly verdicts: readonly BenchVerdict[];
}
