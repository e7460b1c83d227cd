/** What the service takes and gives, in the words of v3.3; v1.2 spells the same with a capital, where it has it. */

export type ApiVersion = "v1.2" | "v3.3";

/** Fractions of the image, 0 to 1; left and top are the corner, not the centre. */
export interface NewRegion {
  readonly tagId: string;
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** An image of the person's own, as createImagesFromFiles takes it. */
export interface ImageFile {
  /** Unique within the batch: answers are matched by it. */
  readonly name: string;
  /** JPEG, PNG, GIF or BMP of at most 6 MB. */
  readonly contents: Buffer;
  readonly tagIds?: readonly string[];
  /** v3.3, in object-detection projects. */
  readonly regions?: readonly NewRegion[];
}

/** What every way of creating images takes for all of its images together. */
export interface BatchOptions {
  readonly tagIds?: readonly string[];
  /** v3.3: at most 10 pairs. */
  readonly metadata?: Readonly<Record<string, string>>;
}

export interface ImageOfUrl {
  readonly url: string;
  readonly tagIds?: readonly string[];
  readonly regions?: readonly NewRegion[];
}

export interface ImageOfPrediction {
  /** Of an image that the prediction endpoint has stored. */
  readonly id: string;
  readonly tagIds?: readonly string[];
  readonly regions?: readonly NewRegion[];
}

export interface ImageData {
  readonly name: string;
  readonly bytes: Buffer;
}

export interface DataOptions {
  /** For all images of the request. */
  readonly tagIds?: readonly string[];
  /** `octet-stream` takes one image. */
  readonly form?: "multipart" | "octet-stream";
}

export interface ImageList {
  /** The workspace when absent. */
  readonly iterationId?: string;
  readonly orderBy?: "Newest" | "Oldest";
  /** 1 to 256; 50 when absent. */
  readonly take?: number;
  readonly skip?: number;
}

export interface TaggedImageList extends ImageList {
  /** Images with any of these, at most 20; every tagged image when absent. */
  readonly tagIds?: readonly string[];
}

export interface ImageTagPair {
  readonly imageId: string;
  readonly tagId: string;
}

export interface NewImageRegion extends NewRegion {
  readonly imageId: string;
}

export interface CustomVisionImage {
  readonly id: string;
  readonly created?: string;
  readonly width: number;
  readonly height: number;
  /** Where its bytes are, without a key: v3.3's original, else v1.2's only one. For a while only. */
  readonly imageUri?: string;
  readonly resizedImageUri?: string;
  readonly thumbnailUri?: string;
  readonly tags: readonly { readonly tagId: string; readonly tagName?: string }[];
  readonly regions: readonly ImageRegion[];
  readonly metadata?: Readonly<Record<string, string>>;
}

export interface ImageRegion extends NewRegion {
  readonly regionId?: string;
  readonly tagName?: string;
}

export interface CreatedImage {
  /** The name that was sent, which may come back in quotes; empty where the service gives none. */
  readonly sourceUrl: string;
  /** `OK`, `OKDuplicate`, `ErrorSource` and others; the list grows from version to version. */
  readonly status: string;
  readonly image?: CustomVisionImage;
}

/** `isBatchSuccessful` is false for mere duplicates too: every image has to be judged by its own status. */
export interface ImageCreateSummary {
  readonly isBatchSuccessful: boolean;
  readonly images: readonly CreatedImage[];
}

export interface PairSummary {
  readonly created: readonly ImageTagPair[];
  readonly duplicated: readonly ImageTagPair[];
  readonly exceeded: readonly ImageTagPair[];
}

export interface CustomVisionTag {
  readonly id: string;
  readonly name: string;
  readonly description?: string;
  /** v3.3: `Regular`, `Negative` or `GeneralProduct`. */
  readonly type?: string;
  readonly imageCount: number;
}

export interface CustomVisionProject {
  readonly id: string;
  readonly name: string;
  readonly domainId: string;
  /** v3.3: `Multiclass` or `Multilabel`. */
  readonly classificationType?: string;
}

export interface CustomVisionDomain {
  readonly id: string;
  readonly name: string;
  /** v3.3: `Classification` or `ObjectDetection`. */
  readonly type?: string;
  readonly exportable?: boolean;
  readonly enabled?: boolean;
}
