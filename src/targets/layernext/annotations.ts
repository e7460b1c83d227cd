import type { Point } from "../../core/types.ts";

export type Geometry = "rectangle" | "polygon" | "line" | "points";

/** One shape on an image. Coordinates are pixels, or fractions of the image where the whole upload says so. */
export interface Annotation {
  readonly label: string;
  readonly shape:
    | { readonly type: "rectangle"; readonly x: number; readonly y: number; readonly w: number; readonly h: number }
    | { readonly type: "polygon" | "line" | "points"; readonly points: readonly Point[] };
  /** 0 to 1. */
  readonly confidence?: number;
  /** Sent as it is. */
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** Values that the label offers, by attribute; the server knows them by reference. */
  readonly attributes?: ReadonlyMap<string, readonly AttributeValue[]>;
}

export interface AttributeValue {
  readonly value: string;
  readonly confidence?: number;
}

/** How the server finds an image that it already has. */
export type ImageAddress =
  | { readonly by: "job"; readonly jobId: string; readonly fileName: string }
  /** Its unique name: collection and file name, joined. */
  | { readonly by: "key"; readonly objectKey: string }
  | { readonly by: "path"; readonly storagePath: string; readonly bucketName: string | null };

export interface AnnotatedImage {
  readonly address: ImageAddress;
  /** None of them is an answer too: the model saw nothing. */
  readonly annotations: readonly Annotation[];
  /** A UUID for each of its shapes. */
  readonly newId: () => string;
}

/** What has to be asked of label references: attribute values by attribute by label. */
export type WantedLabels = ReadonlyMap<string, ReadonlyMap<string, ReadonlySet<string>>>;

export function wantedLabels(annotations: readonly Annotation[]): WantedLabels {
  const wanted = new Map<string, Map<string, Set<string>>>();
  for (const { label, attributes } of annotations) {
    const ofLabel = wanted.get(label) ?? new Map<string, Set<string>>();
    wanted.set(label, ofLabel);
    for (const [name, values] of attributes ?? []) {
      const ofAttribute = ofLabel.get(name) ?? new Set<string>();
      ofLabel.set(name, ofAttribute);
      for (const { value } of values) ofAttribute.add(value);
    }
  }
  return wanted;
}
