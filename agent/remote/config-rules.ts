import { hidesSomething } from "../overlay-loss.ts";
import { isFields, type Fields } from "../../src/config/overlay.ts";
import type { ChangeRules } from "../../src/config/overlay-access.ts";

/** What is hidden, and from whom: changed by a command only where the operator's own file says so. */
const privacySettings: readonly string[] = [
  ...under("cameras.*.privacy", ["mask.size.width", "mask.size.height", "mask.polygons.*.*.*"]),
  ...under("cameras.*.privacy", ["blur.labels.*", "blur.margin", "blur.minScore"]),
  "privacy.localOnly",
];

/**
 * Which settings a remote command may change. Every setting stands here once: a test walks the schema and fails for one
 * that is not here, so that whoever adds a setting decides. One that is not here is changed by nobody.
 */
export const changeRules: ChangeRules = {
  config: [
    ...under("cameras.*", [
      ...["interval", "framesPerSecond", "stallAfter", "timeout", "delay", "skip", "frames", "loop", "imageHealth"],
      ...["width", "height", "quality", "rotation", "hflip", "vflip", "encoding", "sourceFramesPerSecond", "transport"],
      ...["keep.labels.*", "keep.minScore", "keep.minInterval", "keep.negativesEvery"],
      ...["keep.newObjects.minIou", "keep.newObjects.forgetAfter", "keep.newObjects.repeatAfter"],
      ...["motion.enabled", "motion.detectEvery", "motion.minArea", "motion.minContrast"],
      ...["schedule.timeZone", "schedule.windows.*.days.*", "schedule.windows.*.from", "schedule.windows.*.to"],
      ...["scene", "light", "seed"],
    ]),
    ...under("detector", [
      ...["threshold", "thresholds.*", "allow.*", "deny.*", "rename.*", "minBox", "exact", "threads", "maxMemory"],
      ...["tiles.columns", "tiles.rows", "tiles.overlap", "whenAway", "shadow.every", "shadow.minIou"],
      ...["updates.every", "updates.maxBytes", "updates.maxBytesPerSecond", "updates.probation"],
    ]),
    ...under("targets.*", [
      ...["schedule.timeZone", "schedule.windows.*.days.*", "schedule.windows.*.from", "schedule.windows.*.to"],
      ...["enabled", "labels.*", "minScore", "includeEmpty", "includeUnlabelled", "geometry"],
      ...["newestShare", "backfill"],
      ...["reduce.enabled", "reduce.minQuality", "reduce.minScale", "batch.maxBytes", "batch.maxRecords"],
      ...["bytesPerRequest", "imagesPerRequest", "payloadBytesMax", "maxBytes", "dataDetails", "emptyAsVoc"],
      ...["createCategories", "missingTags", "skipUnsupportedImages", "sessionTimeout", "metadata.*"],
    ]),
    ...under("upload", [
      ...["schedule.timeZone", "schedule.windows.*.days.*", "schedule.windows.*.from", "schedule.windows.*.to"],
      ...["bytesPerSecond", "bytesPerDay", "bytesPerMonth", "timeZone"],
    ]),
    "log.level",
  ],
  admin: [
    "device.name",
    ...under("cameras.*", ["driver", "recursive", "mode", "username", "password", "headers.*"]),
    ...under("cameras.*.tls", ["servername", "insecureSkipVerify"]),
    ...under("spool", [
      ...["maxBytes", "maxRecords", "maxAge", "eviction", "minFreeBytes", "removedTargetsAfter"],
      ...["quarantine.maxShare", "quarantine.maxAge"],
    ]),
    ...under("targets.*", [
      ...["kind", "username", "password", "email", "token", "accessToken", "apiKey", "secret", "trainingKey"],
      ...["backlog.maxAge", "backlog.maxBytes", "backlog.maxRecords", "api", "apiVersion", "protocol", "clientId"],
      ...["annotationSetId", "annotationSetName", "annotations", "task", "boxOrigin", "collection", "datasetId"],
      ...["folderId", "projectId", "grpid", "nid", "operationId", "topic", "qos", "requireSubscriber", "mode"],
      ...["dataBody", "sessions", "otherStorage", "storagePrefix", "basePath", "imagePath"],
      ...["category.default", "category.ids.*", "category.rules.*.label", "category.rules.*.category"],
      ...["callbacks.group", "callbacks.username"],
      ...["tls.servername", "tls.insecureSkipVerify", "storageTls.servername", "storageTls.insecureSkipVerify"],
      ...["callbacks.tls.servername", "callbacks.tls.insecureSkipVerify"],
    ]),
    ...under("remote", [
      ...["username", "password", "clientId", "protocol", "allowAnonymous", "root", "groups.*", "groupEffects"],
      ...["responseTopics.*", "unsigned.*", "keys.*.id", "keys.*.publicKey", "keys.*.scopes.*", "statusEvery"],
      ...["reconnectMax", "revertAfter", "homeAssistant.enabled", "homeAssistant.prefix", "homeAssistant.pictures"],
      ...["homeAssistant.maxPictureBytes", "tls.servername", "tls.insecureSkipVerify"],
    ]),
    ...["web.degradedAfter", "metrics.every"],
  ],
  address: [
    ...["cameras.*.url", "cameras.*.input", "detector.updates.url", "remote.url"],
    ...["targets.*.url", "targets.*.callbacks.url", "targets.*.proxy"],
  ],
  never: [
    "version",
    "dataDir",
    // The id is the name by which a patch addresses the rest.
    ...under("cameras.*", ["id", "device", "camera", "path", "command.*", "arguments.*", "program", "environment.*"]),
    ...under("cameras.*.tls", ["ca", "cert", "key"]),
    ...under("detector", ["model", "manifest", "shadow.model", "updates.publicKey"]),
    "spool.encryption.key",
    ...under("targets.*", ["id", "path"]),
    ...["tls", "storageTls", "callbacks.tls"].flatMap((tls) => under(`targets.*.${tls}`, ["ca", "cert", "key"])),
    ...under("remote.tls", ["ca", "cert", "key"]),
    ...privacySettings,
    "privacy.remoteChanges",
    // Who may see the pictures is decided on the device.
    "metrics.textfile",
    ...under("web", ["enabled", "listen", "token", "allowedHosts.*", "tls.cert", "tls.key"]),
  ],
};

/**
 * By what a mask of the same size would lie over something else, or the same place be seen without one; and by what the
 * detector would no longer find all that is to be blurred.
 */
const hidingSettings: readonly string[] = [
  ...under("cameras.*", ["driver", "url", "input", "recursive", "mode", "headers.*"]),
  ...under("cameras.*", ["rotation", "hflip", "vflip", "sourceFramesPerSecond"]),
  ...under("detector", ["allow.*", "deny.*", "rename.*", "minBox"]),
];

/** The rules for a device with this config, `file` being what of it the operator wrote. */
export function rulesFor(config: Fields, file: Fields): ChangeRules {
  const { privacy } = file;
  if (isFields(privacy) && privacy["remoteChanges"] === true) return moved(privacySettings, "admin");
  return hidesSomething(config) ? moved(hidingSettings, "never") : changeRules;
}

function moved(settings: readonly string[], to: keyof ChangeRules): ChangeRules {
  const without = (paths: readonly string[]) => paths.filter((path) => !settings.includes(path));
  const { config, admin, address, never } = changeRules;
  const rest = { config: without(config), admin: without(admin), address: without(address), never: without(never) };
  return { ...rest, [to]: [...rest[to], ...settings] };
}

function under(path: string, names: readonly string[]): readonly string[] {
  return names.map((name) => `${path}.${name}`);
}
