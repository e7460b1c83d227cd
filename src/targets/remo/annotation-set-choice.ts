import { AgentError, asAgentError } from "../../core/errors.ts";
import type { RemoClient } from "./client.ts";
import type { RemoConfig } from "./config.ts";
import { blamingTarget, settingsError } from "./failures.ts";

/** The dataset's only set of the configured task; undefined where there is none. Several are refused: people must choose. */
export async function chosenSet(
  client: RemoClient,
  { datasetId, task }: RemoConfig,
  signal: AbortSignal,
): Promise<number | undefined> {
  const sets = (await client.sets.list(datasetId, signal)).filter((set) => set.task === task);
  if (sets.length <= 1) return sets[0]?.id;
  const known = sets.slice(0, 10).map(({ id, name }) => `${id} (${name.slice(0, 40)})`);
  throw settingsError(
    `choosing an annotation set: dataset ${datasetId} has ${sets.length} for ${task}: ${known.join(", ")}; set annotationSetId`,
  );
}

export async function newSet(client: RemoClient, config: RemoConfig, signal: AbortSignal): Promise<number> {
  const { datasetId, task, annotationSetName: name } = config;
  try {
    return (await client.sets.create({ datasetId, name, annotationTask: task, classes: [] }, signal)).id;
  } catch (error) {
    const failure = asAgentError(error, "making an annotation set");
    // Another agent may have been faster, or a set of another task has the name.
    const raced = failure.code === "HTTP_400" ? await chosenSet(client, config, signal) : undefined;
    if (raced !== undefined) return raced;
    throw failure.code === "HTTP_400" ? settingsError(failure.message) : blamingTarget(failure);
  }
}

/** Fails with `REMO_SETTINGS` where the configured set is of another task or dataset. */
export async function requireSet(
  client: RemoClient,
  { datasetId, task }: RemoConfig,
  setId: number,
  signal: AbortSignal,
): Promise<void> {
  const set = await client.sets.get(setId, signal).catch((error: unknown) => {
    const failure = asAgentError(error, "checking the annotation set");
    if (failure.code !== "HTTP_404") throw failure;
    throw new AgentError("REMO_SETTINGS", `${failure.message} (is annotationSetId ${setId} right?)`, {
      disposition: "fatal",
    });
  });
  if (set.task !== undefined && set.task !== task) {
    throw settingsError(`annotation set ${setId} is for ${set.task}, and task says ${task}`);
  }
  if (set.datasetId !== undefined && set.datasetId !== datasetId) {
    throw settingsError(`annotation set ${setId} belongs to dataset ${set.datasetId}, and datasetId says ${datasetId}`);
  }
}
