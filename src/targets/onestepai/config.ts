import { z } from "zod";
import { identifier } from "../../config/values.ts";
import { onestepaiLimits } from "../../core/platform-limits.ts";
import {
  connectionFields,
  connectionWarnings,
  filterFields,
  headerSecret,
  queueFields,
  reduceFields,
  serverUrl,
} from "../config.ts";
import { categoryName } from "./category.ts";

const accessFields = {
  url: serverUrl("https://app-eu.onestepai.com/api")
    .default("https://app-eu.onestepai.com/api")
    .describe("Address of OneStepAI's API, with /api"),
  accessToken: headerSecret.describe("Access token made in OneStepAI's settings; it expires on the day chosen there"),
  ...connectionFields,
};

/** What reaches the account, out of a target's config or the environment. */
export const onestepaiAccess = z.object(accessFields);

const platformId = z.union([z.int().min(0), z.string().regex(/^(?!\.{1,2}$)[\x21-\x7e]{1,128}$/)]);

const name = z
  .string()
  .max(onestepaiLimits.nameCharsMax)
  .regex(/\S/, "expected a name")
  // What a file's editor leaves behind would become a part of the name.
  .regex(/^[^\p{Cc}]*$/u, "expected a name in one line");

const category = z.union([z.int().min(0), name]);

export const onestepaiConfig = z
  .strictObject({
    id: identifier.describe("Name of this target in logs, commands and the spool"),
    kind: z.literal("onestepai"),
    ...accessFields,
    datasetId: platformId.describe("The dataset that the pictures go to"),
    category: z
      .strictObject({
        default: category.describe("Category of a picture that no rule fits: a name, or an id as a number"),
        rules: z
          .array(
            z.strictObject({
              label: z.string().min(1).describe("Label of a detection"),
              category: category.describe("Category of the whole picture: a name, or an id as a number"),
            }),
          )
          .max(onestepaiLimits.rulesMax)
          .default([])
          .describe("Category by label: the best detection that has a rule decides"),
        ids: z
          .record(name, platformId)
          .default({})
          .describe("Ids of categories that exist already, by name: the platform has no list of them"),
      })
      .describe("The category that each whole picture gets"),
    createCategories: z
      .boolean()
      .default(false)
      .describe("Create a category that is named here and has no id yet, when a picture needs it"),
    emptyAsVoc: z
      .boolean()
      .default(false)
      .describe("Send an annotation without objects for a picture on which nothing was detected, instead of none"),
    skipUnsupportedImages: z
      .boolean()
      .default(false)
      .describe("Let the platform pass over a picture that it cannot read, in silence"),
    ...filterFields,
    ...queueFields,
    ...reduceFields,
  })
  .refine(
    ({ createCategories, category: { default: other, rules, ids } }) => {
      const known = new Set(Object.keys(ids).map(categoryName));
      const used = [other, ...rules.map((rule) => rule.category)];
      return createCategories || used.every((one) => typeof one === "number" || known.has(categoryName(one)));
    },
    {
      path: ["category"],
      message: "a category has no id: give it one in ids, or set createCategories: true",
    },
  );

export type OnestepaiConfig = z.infer<typeof onestepaiConfig>;

/** What an operator should know although it is allowed. Holds no secret. */
export function onestepaiWarnings(config: OnestepaiConfig): readonly string[] {
  const skips = config.skipUnsupportedImages
    ? [`${config.id}: skipUnsupportedImages makes the platform lose pictures in silence that it cannot read`]
    : [];
  return [...connectionWarnings(config, "the access token and the pictures"), ...skips];
}
