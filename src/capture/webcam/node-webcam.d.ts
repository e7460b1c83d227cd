/** The part of node-webcam 0.8.2 that we use; the package has no types of its own. */
declare module "node-webcam" {
  interface FSWebcamOptions {
    readonly width: number;
    readonly height: number;
    readonly quality: number;
    /** Whole seconds. */
    readonly delay: number;
    readonly frames: number;
    readonly skip: number;
    readonly rotation: number;
    readonly device: string;
    readonly output: "jpeg";
    readonly callbackReturn: "location";
    readonly saveShots: boolean;
    readonly verbose: boolean;
  }

  interface FSWebcam {
    /** Written unquoted at the head of the shell command. */
    bin: string;
    /** An override point: gets what the program wrote to stderr; an error returned fails the shot. */
    runCaptureValidations: (stderr: string) => Error | null;
    capture(path: string, callback: (error: Error | null, location?: string) => void): void;
  }

  const nodeWebcam: { readonly FSWebcam: new (options: FSWebcamOptions) => FSWebcam };
  export = nodeWebcam;
}
