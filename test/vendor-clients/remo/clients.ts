import type { Json } from "../fixture.ts";
import type { VendorCase, VendorClient } from "../vendor-client.ts";
import { remoAnswers } from "./answers.ts";

/** The calls of remo's Python client that are recorded. */

const csv = [
  "file_name,class_name,xmin,ymin,xmax,ymax",
  "photo-1.jpg,person,10,6,40,18",
  "photo-2.jpg,fork lift,5,40,16,90",
  "",
].join("\n");

const boxes: Json = [
  { image: "photo-1.jpg", label: "person", box: [10, 6, 40, 18] },
  { image: "photo-1.jpg", label: "fork lift", box: [52, 31, 92, 48] },
  { image: "photo-2.jpg", label: "person", box: [5, 40, 16, 90] },
];

const outlines: Json = [{ image: "photo-1.jpg", label: "person", outline: [10, 6, 40, 7, 38, 18, 12, 17] }];

const labels: Json = [
  { image: "photo-1.jpg", label: "person" },
  { image: "photo-2.jpg", label: ["person", "fork lift"] },
];

const files = ["photo-1.jpg", "photo-2.jpg"];
const photos = { dataset_id: 4, paths_to_upload: files };
const task = "Object detection";

function one(name: string, operation: string, input: Readonly<Record<string, Json>>): VendorCase {
  return { name, operation, call: `sdk.${operation}(…) with the fields of "input"`, input };
}

const cases: readonly VendorCase[] = [
  one("create-dataset", "api.create_dataset", { name: "dock" }),
  one("create-dataset-with-files", "create_dataset", { name: "dock", files }),
  one("upload-files", "add_data_to_dataset", photos),
  one("upload-files-to-folder", "add_data_to_dataset", { ...photos, folder_id: 9 }),
  one("upload-files-and-csv", "add_data_to_dataset", {
    dataset_id: 4,
    paths_to_upload: [...files, "annotations.csv"],
    annotation_task: task,
    annotation_set_id: 3,
    csv,
  }),
  one("upload-csv-with-class-encoding", "add_data_to_dataset", {
    dataset_id: 4,
    paths_to_upload: ["annotations.csv"],
    annotation_task: task,
    annotation_set_id: 3,
    class_encoding: { DR3: "person", SP2: "rock" },
    csv: csv.replace("person", "DR3"),
  }),
  one("upload-files-task-without-set", "add_data_to_dataset", { ...photos, annotation_task: task }),
  one("link-urls", "add_data_to_dataset", {
    dataset_id: 4,
    urls: ["https://photos.example/photo-1.jpg", "https://photos.example/labels.zip"],
    annotation_task: task,
    annotation_set_id: 3,
    folder_id: 9,
  }),
  one("link-local-files", "add_data_to_dataset", { dataset_id: 4, local_files: ["/"], annotation_set_id: 3 }),
  one("add-boxes", "dataset.add_annotations", { dataset_id: 4, annotation_set_id: 3, boxes }),
  one("add-outlines", "dataset.add_annotations", { dataset_id: 4, annotation_set_id: 5, outlines }),
  one("add-labels", "dataset.add_annotations", { dataset_id: 4, annotation_set_id: 6, labels }),
  one("save-annotation", "add_annotations_to_image", { annotation_set_id: 3, image_id: 7, boxes }),
  one("create-annotation-set", "create_annotation_set", {
    annotation_task: task,
    dataset_id: 4,
    name: "boxes",
    classes: ["person"],
  }),
  one("list-annotation-sets", "list_annotation_sets", { dataset_id: 4 }),
  one("get-annotation-set", "get_annotation_set", { annotation_set_id: 3 }),
  one("list-classes", "list_annotation_set_classes", { annotation_set_id: 3 }),
  one("export-default", "api.export_annotations", { annotation_set_id: 3 }),
  one("export-coco", "api.export_annotations", {
    annotation_set_id: 3,
    annotation_format: "coco",
    export_coordinates: "percent",
    full_path: false,
    export_tags: false,
    filter_by_tags: ["night", "rain & fog"],
  }),
  one("list-datasets", "list_datasets", {}),
  one("get-dataset", "get_dataset", { dataset_id: 4 }),
  one("list-images", "list_dataset_images", { dataset_id: 4, limit: 10, offset: 20 }),
  one("get-image", "get_image", { image_id: 7 }),
  one("get-image-content", "get_image_content", { url: "/media/photo-1.jpg" }),
  one("search-images", "api.search_images", { dataset_id: 4, classes: ["Person"], tags_not: ["night"], limit: 5 }),
  one("folder-contents", "api.list_dataset_contents_by_folder", { dataset_id: 4, folder_id: 9, limit: 5 }),
  one("get-annotation", "get_annotation_info", { dataset_id: 4, annotation_set_id: 3, image_id: 7 }),
  one("delete-dataset", "delete_dataset", { dataset_id: 4 }),
];

export const remoClients: readonly VendorClient[] = [
  {
    kind: "remo",
    id: "remo-python-0.1.14",
    name: "remo-python 0.1.14",
    language: "python",
    driver: "driver.py",
    cases,
    answers: () => remoAnswers(),
  },
];
