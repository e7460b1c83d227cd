import type { RemoClient } from "../../../src/targets/remo/client.ts";
import { collected } from "../../option-values.ts";
import type { Operation, OperationCall } from "../platform.ts";
import {
  booleanOption,
  booleanValue,
  datasetArgument,
  idAt,
  imageArgument,
  limitOption,
  numberOption,
  setArgument,
  taskOf,
  taskOption,
  textAt,
  textsOption,
} from "./options.ts";
import { usageError } from "../run-operation.ts";

type Call = OperationCall<RemoClient>;

const nameArgument = { name: "name", description: "the name" };
const classArgument = { name: "class", description: "id of the class" };
const tagArgument = { name: "tag", description: "id of the tag" };

const createSet: Operation<RemoClient> = {
  name: "create-annotation-set",
  summary: "make an annotation set with its classes",
  document: "Create new annotation set",
  arguments: [datasetArgument, nameArgument],
  options: [
    { ...taskOption, required: true },
    {
      flags: "--class <name>",
      description: "a class; several times",
      parse: (text, before) => collected(text, before as readonly string[] | undefined),
      document: "classes",
    },
  ],
  run(call) {
    const annotationTask = taskOf(call.options) ?? "Object detection";
    const classes = textsOption(call.options, "class");
    const set = { datasetId: idAt(call, 0, "dataset"), name: textAt(call, 1), annotationTask, classes };
    return call.client.sets.create(set, call.signal);
  },
};

const createOldSet: Operation<RemoClient> = {
  name: "create-annotation-set-deprecated",
  summary: "the same in the old way; use create-annotation-set",
  document: "@deprecated POST /api/annotation-set/",
  arguments: [datasetArgument, nameArgument],
  options: [
    {
      flags: "--task <number>",
      description: "1 object detection, 2 instance segmentation, 3 image classification",
      choices: ["1", "2", "3"],
      required: true,
      document: "task",
    },
    {
      flags: "--class <id=name>",
      description: "a common class; several times",
      parse: (text, before) => collected(text, before as readonly string[] | undefined),
      document: "classes",
    },
  ],
  run(call) {
    const classes = textsOption(call.options, "class").map((text) => {
      const [, id, name] = /^(\d{1,9})=(.+)$/.exec(text) ?? [];
      if (id === undefined || name === undefined) throw usageError(`--class ${text}: expected id=name`);
      return { id: Number(id), name };
    });
    const task = { "1": 1, "2": 2, "3": 3 }[String(call.options["task"])] as 1 | 2 | 3;
    const set = { datasetId: idAt(call, 0, "dataset"), name: textAt(call, 1), task, classes };
    return call.client.sets.createDeprecated(set, call.signal);
  },
};

const listSets: Operation<RemoClient> = {
  name: "list-annotation-sets",
  summary: "the annotation sets of a dataset",
  document: "List annotation sets",
  arguments: [datasetArgument],
  options: [limitOption],
  run: (call) => call.client.sets.listPage(idAt(call, 0, "dataset"), numberOption(call.options, "limit"), call.signal),
};

const exportSet: Operation<RemoClient> = {
  name: "export-annotations",
  summary: "write the annotations of a set to a file",
  document: "Export annotations",
  arguments: [setArgument],
  options: [
    { flags: "--output <file>", description: "where to write them", required: true },
    {
      flags: "--annotation-format <format>",
      description: "json unless told otherwise",
      choices: ["json", "coco", "csv"],
      document: "annotation_format",
    },
    {
      flags: "--full-path <boolean>",
      description: "the server's path of each image instead of its name",
      parse: booleanValue,
      document: "full_path",
    },
    {
      flags: "--export-coordinates <unit>",
      description: "pixel, or percent: fractions of the image",
      choices: ["pixel", "percent"],
      document: "export_coordinates",
    },
    {
      flags: "--export-tags <boolean>",
      description: "a zip with the tags beside the annotations",
      parse: booleanValue,
    },
  ],
  async run({ client, options, save, signal, ...call }) {
    const { annotationFormat = "json", exportCoordinates = "pixel" } = options as {
      annotationFormat?: "json" | "coco" | "csv";
      exportCoordinates?: "pixel" | "percent";
    };
    const fullPath = booleanOption(options, "fullPath") ?? false;
    const exportTags = booleanOption(options, "exportTags") ?? false;
    const wish = { annotationFormat, fullPath, exportCoordinates, exportTags };
    const { bytes, isZip } = await client.sets.export(idAt(call, 0, "set"), wish, signal);
    if (isZip && !exportTags) call.note("the server sent a zip although no tags were asked for");
    return { ...(await save(String(options["output"]), bytes)), isZip };
  },
};

/** Operations of an id, or two, and perhaps a name. */
function simple(
  name: string,
  summary: string,
  document: string | undefined,
  args: Operation<RemoClient>["arguments"],
  run: (call: Call) => Promise<unknown>,
): Operation<RemoClient> {
  return { name, summary, ...(document === undefined ? {} : { document }), arguments: args ?? [], run };
}

const setId = (call: Call): number => idAt(call, 0, "set");

export const remoSetOperations = [
  createSet,
  createOldSet,
  simple("get-annotation-set", "one annotation set", undefined, [setArgument], (call) =>
    call.client.sets.get(setId(call), call.signal),
  ),
  simple(
    "rename-annotation-set",
    "give it another name",
    "Rename annotation set",
    [setArgument, nameArgument],
    (call) => call.client.sets.rename(setId(call), textAt(call, 1), call.signal),
  ),
  listSets,
  simple("list-classes", "the classes of an annotation set", undefined, [setArgument], (call) =>
    call.client.sets.listClasses(setId(call), call.signal),
  ),
  simple("add-class", "add a class to a set", "Add new class to annotation set", [setArgument, nameArgument], (call) =>
    call.client.sets.addClass(setId(call), textAt(call, 1), call.signal),
  ),
  simple(
    "rename-class",
    "give a class of a set another name; the answered id may be another",
    "Rename class in annotation set",
    [setArgument, classArgument, nameArgument],
    (call) => call.client.sets.renameClass(setId(call), idAt(call, 1, "class"), textAt(call, 2), call.signal),
  ),
  simple(
    "delete-class",
    "take a class out of a set",
    "Delete class from annotation set",
    [setArgument, classArgument],
    (call) => call.client.sets.deleteClass(setId(call), idAt(call, 1, "class"), call.signal),
  ),
  simple(
    "create-common-class",
    "add a class to those that all sets share",
    "Create new class",
    [nameArgument],
    (call) => call.client.sets.createCommonClass(textAt(call, 0), call.signal),
  ),
  simple("list-tags", "the tags of an annotation set", "List tags in annotation set", [setArgument], (call) =>
    call.client.sets.listTags(setId(call), call.signal),
  ),
  simple(
    "rename-tag",
    "give a tag of a set another name; the answered id may be another",
    "Rename tag in annotation set",
    [setArgument, tagArgument, nameArgument],
    (call) => call.client.sets.renameTag(setId(call), idAt(call, 1, "tag"), textAt(call, 2), call.signal),
  ),
  simple(
    "delete-tag",
    "take a tag off all images of a set",
    "Delete tag from annotation set",
    [setArgument, tagArgument],
    (call) => call.client.sets.deleteTag(setId(call), idAt(call, 1, "tag"), call.signal),
  ),
  simple(
    "add-image-tag",
    "tag an image in an annotation set",
    "Add tag to the image in paticular annotation set",
    [setArgument, imageArgument, nameArgument],
    (call) => call.client.sets.addImageTag(setId(call), idAt(call, 1, "image"), textAt(call, 2), call.signal),
  ),
  simple(
    "remove-image-tag",
    "take a tag off an image",
    "Remove tag from the image",
    [setArgument, imageArgument, tagArgument],
    (call) => call.client.sets.removeImageTag(setId(call), idAt(call, 1, "image"), idAt(call, 2, "tag"), call.signal),
  ),
  exportSet,
];
