import { AgentError } from "../../core/errors.ts";
import type { CustomVisionClient } from "./client.ts";
import type { Annotations } from "./encode.ts";

/**
 * What the project takes: its domain says whether it detects objects or sorts images. Where the config wants something
 * else nothing is sent at all, because it would be half of the truth: `PROJECT_MISMATCH`.
 */
export async function annotationsOf(
  client: CustomVisionClient,
  wanted: "auto" | "regions" | "tags",
  signal: AbortSignal,
): Promise<Annotations> {
  const { name, domainId, classificationType } = await client.getProject(signal);
  // The domains of v1.2 have no type, and its images no regions.
  if (client.apiVersion === "v1.2") return "tags";
  const { type = "no type" } = await client.getDomain(domainId, signal);
  const detects = /^objectdetection$/i.test(type);
  if (!detects && !/^classification$/i.test(type)) {
    throw mismatch(`the project ${name} is made for ${type}, which is neither Classification nor ObjectDetection`);
  }
  if (detects && wanted === "tags") {
    throw mismatch(`the project ${name} detects objects and needs boxes; set annotations to regions or auto`);
  }
  if (!detects && wanted === "regions") {
    throw mismatch(`the project ${name} classifies images and takes no boxes; set annotations to tags or auto`);
  }
  if (detects) return "regions";
  return /^multiclass$/i.test(classificationType ?? "") ? "best-tag" : "tags";
}

function mismatch(what: string): AgentError {
  return new AgentError("PROJECT_MISMATCH", what, { disposition: "fatal" });
}
