/**
 * Names of LayerNext's data call and of its answers that no document states. Each was settled by running the vendor's own
 * clients (layerx-sdk-beta 0.0.21b0, layernext 1.1.1 and 2.3.4, layernext-beta 3.28.14) against a recorder: should a server
 * turn out to spell one differently, this is the only place.
 */
export const wire = {
  /** A JSON array as a text: encoded twice. */
  updates: "metaUpdatesArray",
  objectKey: "objectKey",
  storagePath: "storagePath",
  bucketName: "bucketName",
  jobId: "jobId",
  fileName: "fileName",
  operationMode: "operationMode",
  operationType: "operationType",
  sessionId: "sessionId",
  totalImages: "totalImageCount",
  uploadedImages: "uploadedImageCount",
  isNormalized: "isNormalized",
  isReturnedUniqueName: "isReturnedUniqueName",
  annotations: "annotationObjects",
  isUserAnnotated: "isUserAnnotated",
  box: "boxBoundariesAndDimensions",
  points: "points",
  /** Of a label or an attribute, in the answer of label references. */
  reference: "ref",
  /** The only user name that a vendor's client has ever sent. */
  userName: "Python SDK",
} as const;

/** `objectType` and `collectionType` of a collection of images. */
export const imageCollection = 5;
/** `operationType`: annotations. */
export const annotationOperation = 1;
/** `operationMode`: made by people, or by a model. */
export const operationModes = { groundTruth: 1, modelRun: 2 } as const;
/** Type of a label made with `labels/create`. */
export const objectLabel = 2;
/** A boolean in a query: Python prints it, and only this form is known to work. */
export const pythonBoolean = (value: boolean): string => (value ? "True" : "False");
/** It is part of the signature of the storage's address; the vendor's clients send it for PNG too. */
export const imageContentType = "image/jpeg";
