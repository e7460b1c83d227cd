/** How the stand-in behaves within its contract; all of it can be changed while it runs. */
export interface CustomVisionSwitches {
  /** Gateways before the service word their refusals otherwise than the service does. */
  errorShape: "service" | "gateway" | "status-code";
  /** What an image with a tag that the project does not have is answered. */
  unknownTag: "ErrorUnknown" | "ErrorInvalidTag";
  /** Names come back in literal quotes, as in the official examples of v1.2. */
  quotedNames: boolean;
  /**
   * Another status than the true one for the image of this name, which is then not stored; `none` leaves its entry out
   * of the answer, and `alien` answers for an image that was never sent.
   */
  statusOf: (name: string) => string | undefined;
  /** The project is full beyond this. */
  imagesMax: number;
  /** Larger bodies are answered 413. */
  bodyBytesMax: number;
  /** More are answered 429. */
  requestsPerSecondMax: number;
}

export const usualSwitches: Readonly<CustomVisionSwitches> = {
  errorShape: "service",
  unknownTag: "ErrorUnknown",
  quotedNames: false,
  statusOf: () => undefined,
  imagesMax: Infinity,
  bodyBytesMax: 32 * 1024 * 1024,
  requestsPerSecondMax: 10,
};
