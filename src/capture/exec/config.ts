import { z } from "zod";
import { duration, secret } from "../../config/values.ts";
import { captureLimits } from "../../core/capture-limits.ts";
import { commonCameraFields } from "../config.ts";

const runs = /^(?:\/.+|[^/]+)$/;

export const execCamera = z
  .strictObject({
    ...commonCameraFields,
    driver: z.literal("exec").describe("Any program that writes JPEGs to its standard output"),
    command: z
      .array(z.string().min(1).max(4_096))
      .min(1)
      .max(captureLimits.argumentsMax)
      .refine(([program = ""]) => runs.test(program), "expected a program's name or its absolute path first")
      .describe("The program and its arguments, one by one; no shell reads them, and every user may see them"),
    environment: z
      .record(
        z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "expected the name of a variable: letters, digits and _"),
        secret,
      )
      .optional()
      .describe("Variables for the program, which other users cannot see: the place for passwords"),
    mode: z
      .enum(["stream", "shot"])
      .default("stream")
      .describe("stream: the program runs all the time, one JPEG after the other. shot: one run for each frame"),
    timeout: duration
      .refine((ms) => ms >= 100, "expected at least 100ms")
      .prefault("10s")
      .describe("In mode shot, what one run may take before it is ended"),
  })
  .describe("A program of your own");
