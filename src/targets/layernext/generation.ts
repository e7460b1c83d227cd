/** Which generation of LayerNext answers: `layerx` is what it was called before 1.0, `3.x` also holds for 2.x. */
export type LayernextApi = "3.x" | "1.x" | "layerx";

/** What differs on the wire. Each line was recorded from the vendor's client of that generation. */
export interface Generation {
  /** Before `/api`, unless the config says otherwise: 2.x is a `3.x` with `/datalake`. */
  readonly basePath: string;
  /** Type and mode of a data call stand in its path, not in its body. */
  readonly modeInPath: boolean;
  /** Annotations find their image by the job that uploaded it. */
  readonly addressesJobs: boolean;
  /** Between a collection's base path and a file name in an object's key. */
  readonly keyJoin: "_" | "/";
  /** Free metadata beside the label, instead of within it. */
  readonly ownMetadata: boolean;
  /** `uploadMetadataInCollection` and its next step carry `applicationCode: null`. */
  readonly applicationCode: boolean;
  /** The signed address, the PUT and the finalizing are told of the content type and the address. */
  readonly signsContentType: boolean;
  /** The values of an attribute come with their confidence. */
  readonly scoredAttributes: boolean;
}

export const generations: Readonly<Record<LayernextApi, Generation>> = {
  "3.x": {
    basePath: "",
    modeInPath: false,
    addressesJobs: true,
    keyJoin: "_",
    ownMetadata: true,
    applicationCode: false,
    signsContentType: true,
    scoredAttributes: true,
  },
  "1.x": {
    basePath: "/datalake",
    modeInPath: true,
    addressesJobs: false,
    keyJoin: "_",
    ownMetadata: false,
    applicationCode: true,
    signsContentType: true,
    scoredAttributes: true,
  },
  layerx: {
    basePath: "/datalake",
    modeInPath: true,
    addressesJobs: false,
    keyJoin: "/",
    ownMetadata: false,
    applicationCode: false,
    signsContentType: false,
    scoredAttributes: false,
  },
};

/** The key of a file in a collection, as the clients of this generation make it. */
export function objectKeyOf({ keyJoin }: Generation, basePath: string, fileName: string): string {
  if (basePath === "") return fileName;
  return keyJoin === "/" ? `${basePath.replace(/\/+$/, "")}/${fileName}` : `${basePath}_${fileName}`;
}
