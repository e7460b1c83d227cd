import { z } from "zod";
import { keyForm, keyOfText } from "../core/key-text.ts";
import { configLimits, healthLimits } from "../core/limits.ts";
import { modelLimits } from "../core/model-limits.ts";
import { motionDefaults, trackLimits, visionLimits } from "../core/vision-limits.ts";
import { spoolLimits } from "../core/spool-limits.ts";
import { label, labelRules } from "./label-rules.ts";
import { currentVersion } from "./migrations.ts";
import { byteSize, capacity, duration, fraction, identifier, lifetime, secret } from "./values.ts";

/** The parts of the config that belong to no driver and no target. */

/** The model that ships with Framepost, for as long as no other is in use. */
export const defaultModel = "tiny-end-to-end";

export const version = z
  .int()
  .min(1)
  .default(currentVersion())
  .describe("Form of this file; 1 when left out. `framepost config migrate` brings one of an older form up to date");

/** They stand in the place of a device in topics: `all` and `group` address more than one, `reply` is for answers. */
const deviceName = identifier.refine(
  (name) => !["all", "group", "reply"].includes(name),
  "all, group and reply are no device names",
);

export const device = z
  .strictObject({
    name: deviceName
      .optional()
      .describe("Name of this device in topics, file names and records; made up and remembered when left out"),
  })
  .describe("Who this device is");

export const dataDir = z
  .string()
  .min(1)
  .optional()
  .describe("Folder for the spool, state and models; the service's state folder or --data when left out");

const tiles = z
  .strictObject({
    columns: z.int().min(1).max(visionLimits.tilesMax).default(2),
    rows: z.int().min(1).max(visionLimits.tilesMax).default(2),
    overlap: z
      .number()
      .min(0)
      .max(0.5)
      .default(visionLimits.tileOverlap)
      .describe("Share of a tile that it has in common with its neighbour"),
  })
  .describe("Look at parts of the picture one by one, and at the whole: for small objects, at so many times the cost");

const shadow = z
  .strictObject({
    model: z.string().min(1).describe("Name of an installed model, or path of an ONNX file"),
    every: z.int().min(1).max(1_000_000).default(20).describe("It sees every Nth frame that the detector saw"),
    minIou: fraction.default(0.5).describe("Boxes that share less than this are two objects"),
  })
  .describe("A second model that is only compared: frames on which the two disagree are kept, with priority");

const updates = z
  .strictObject({
    url: z
      .url({ protocol: /^https?$/ })
      .describe("Address of the release file; its signature is expected at the same with .minisig"),
    publicKey: z
      .string()
      .regex(/^RW[A-Za-z0-9+/]{54}$/, "expected a minisign public key: 56 characters that begin with RW")
      .describe("The minisign key that releases must be signed with"),
    every: lifetime.default(modelLimits.updateEveryMs).describe("How often the release file is asked for"),
    maxBytes: byteSize.default(modelLimits.bytesMax).describe("Largest model that is downloaded"),
    maxBytesPerSecond: byteSize.optional().describe("Bound of a download's rate; none when left out"),
    probation: duration
      .default(modelLimits.probationMs)
      .describe("For this long a new model goes back by itself on errors, crashes, or when it is too slow"),
  })
  .describe(
    "Fetch models from a place of your own. A release is used only when its signature, its number and its test picture are right",
  );

export const detector = z
  .strictObject({
    model: z
      .string()
      .min(1)
      .optional()
      .describe(
        "Name of an installed model (NAME or NAME@VERSION), or path of an ONNX file. When left out: the model in use (`framepost models use`), else the one that ships with Framepost",
      ),
    manifest: z.string().min(1).optional().describe("Path of the model's manifest, where it is not beside the model"),
    threshold: fraction
      .optional()
      .describe("Lowest score that counts as a detection; the model's own (usually 0.25) when left out"),
    thresholds: z.record(label, fraction).optional().describe("The same for single labels"),
    ...labelRules,
    exact: z.boolean().default(false).describe("Resize as the training tools do: slower, scores equal to theirs"),
    tiles: tiles.optional(),
    threads: z
      .int()
      .min(1)
      .max(64)
      .optional()
      .describe(
        "Threads of the detector. When left out: 1 for a model that runs in under 10 ms, else one less than the cores",
      ),
    maxMemory: byteSize
      .default(visionLimits.rssBytesMax)
      .describe("The vision process is replaced between two frames when it takes more"),
    whenAway: z
      .enum(["keep-unlabelled", "drop"])
      .default("keep-unlabelled")
      .describe("While the detector is away (starting, crashed): keep frames marked as unlabelled, or drop them"),
    shadow: shadow.optional(),
    updates: updates.optional(),
  })
  .describe("The local object detector");

/** Belongs into every camera. A frame asked for by command is always kept. */
export const keep = z
  .strictObject({
    labels: z
      .array(z.string().min(1).max(100))
      .min(1)
      .max(configLimits.keepRulesMax)
      .optional()
      .describe("Keep a frame that shows one of these; any detection counts when left out"),
    minScore: fraction
      .optional()
      .describe("Keep a frame only for detections of at least this score; the detector's threshold when left out"),
    minInterval: duration.optional().describe("Keep at most one frame in this time; no limit when left out"),
    negativesEvery: z
      .int()
      .min(1)
      .max(1_000_000)
      .optional()
      .describe("Keep every Nth frame without detections as a negative example; none when left out"),
    newObjects: z
      .strictObject({
        minIou: fraction.default(trackLimits.iouMin).describe("Boxes of one label that share this much are one object"),
        forgetAfter: duration
          .default(trackLimits.forgetAfterMs)
          .describe("An object that was not seen for this long is new when it comes again"),
        repeatAfter: duration.optional().describe("Keep a frame of what stays this often all the same"),
      })
      .optional()
      .describe(
        "Keep a frame for its detections only when an object is in it that was not there: what stands there is one record, not a thousand. {} takes the usual values",
      ),
  })
  .describe("Which frames become records");

/** Belongs into every camera. A frame asked for by command is always detected. */
export const motion = z
  .strictObject({
    enabled: z
      .boolean()
      .default(false)
      .describe(
        "Run the detector only on frames on which something moved. Frames that are still are neither detected nor kept, and do not count for keep.negativesEvery",
      ),
    detectEvery: lifetime
      .default(motionDefaults.detectEveryMs)
      .describe("Detect at least this often, moved or not: also what stands still is kept this often"),
    minArea: z
      .number()
      .min(0.001)
      .max(0.5)
      .default(motionDefaults.minAreaShare)
      .describe("Share of the picture that has to change"),
    minContrast: z
      .number()
      .min(2)
      .max(64)
      .default(motionDefaults.minContrastLevels)
      .describe("Levels of 255 by which a place has to change; noise is found out and added"),
  })
  .describe("Leave the detector alone while nothing moves");

export const imageHealth = z
  .boolean()
  .default(true)
  .describe(
    "Watch for a picture that is dark, over-exposed, blurred, covered or frozen; false for a camera that rightly shows such",
  );

export const spool = z
  .strictObject({
    maxBytes: capacity
      .default(spoolLimits.defaultBytesMax)
      .describe(
        "Most that Framepost may take on the disk of its data folder: records, their index, temporary pictures, and the data sets of folder targets on that disk. At least a quarter is the records'. Logs go to stderr, where journald bounds them",
      ),
    maxRecords: z
      .int()
      .min(1)
      .max(10_000_000)
      .default(spoolLimits.defaultRecordsMax)
      .describe("Most records that the spool may hold"),
    maxAge: lifetime
      .optional()
      .describe(
        "Give up records that have waited for this long, in time that Framepost was running; never when left out",
      ),
    eviction: z
      .enum(["oldest", "thin", "none"])
      .default("oldest")
      .describe(
        "When there is no room: give up the oldest records of the lowest priority; thin them out evenly over time; or none, and capture pauses",
      ),
    quarantine: z
      .strictObject({
        maxShare: fraction
          .default(spoolLimits.defaultQuarantineShare)
          .describe("Part of maxBytes and of maxRecords for records that only quarantine holds"),
        maxAge: duration
          .default(spoolLimits.defaultQuarantineAgeMs)
          .describe("Give up deliveries that have been in quarantine for this long"),
      })
      .prefault({})
      .describe("Deliveries set aside for good, with their reason: refused, or failed too often"),
    minFreeBytes: byteSize
      .default(spoolLimits.defaultFreeBytesMin)
      .describe("Space that the disk must keep free, at least 5 MB whatever stands here: the index needs them"),
    removedTargetsAfter: duration
      .default(spoolLimits.defaultRemovedTargetsAfterMs)
      .describe("How long deliveries of a target that is no longer in the config are kept"),
    encryption: z
      .strictObject({
        key: secret
          .refine((text) => keyOfText(text) !== undefined, keyForm)
          .describe("The key, best ${credential:spool-key}: 64 hexadecimal digits, as openssl rand -hex 32 makes them"),
      })
      .optional()
      .describe("Encrypt every record on disk with AES-256-GCM; not encrypted when left out"),
  })
  .describe("The buffer on disk between the cameras and the targets");

export const log = z
  .strictObject({
    level: z.enum(["debug", "info", "warn", "error"]).default("info").describe("Least level that is logged"),
  })
  .describe("The log on stderr");

export const metrics = z
  .strictObject({
    textfile: z
      .string()
      .regex(/\.prom$/, "expected the path of a file that ends in .prom: others are not read")
      .optional()
      .describe("Also write metrics to this file, for the textfile collector of node_exporter"),
    every: lifetime.default(healthLimits.textfileEveryMs).describe("How often that file is written"),
  })
  .describe("Figures for Prometheus; they are also served at /metrics of the section web");

/** For `.check()` of a list: each `id` once. Said also when other things are wrong, so that one run shows all. */
export function uniqueIds(what: string): z.core.$ZodCheck<readonly { readonly id: string }[]> {
  return z.core._check<readonly unknown[]>(
    ({ value, issues }) => {
      const seen = new Set<unknown>();
      for (const [index, item] of value.entries()) {
        const id = typeof item === "object" && item !== null && "id" in item ? item.id : undefined;
        if (typeof id !== "string") continue;
        if (seen.has(id)) {
          const message = `another ${what} has the id "${id}"; ids must differ`;
          issues.push({ code: "custom", input: id, path: [index, "id"], message });
        }
        seen.add(id);
      }
    },
    { when: ({ value }) => Array.isArray(value) },
  );
}
