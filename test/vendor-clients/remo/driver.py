"""Makes one call of remo-python against a local server. Every call begins with the login of the client."""

import json
import sys
import time

import remo
from remo.utils import FileResolver

time.sleep = lambda seconds: None

# The client uploads files in the order of a set, which differs from run to run.
in_any_order = FileResolver.resolve


def by_kind_and_name(self):
    kinds = ("jpg", "csv")
    return sorted(in_any_order(self), key=lambda path: (kinds.index(path[-3:]), path))


FileResolver.resolve = by_kind_and_name

order = json.load(sys.stdin)
given = order["input"]
sdk = remo.SDK(order["server"], "edge@site.example", "test-password")
# The domain objects of the client use the module's own connection.
remo._sdk = sdk


def boxes():
    return [
        remo.Annotation(img_filename=a["image"], classes=a["label"], object=remo.Bbox(*a["box"])) for a in given["boxes"]
    ]


def outlines():
    return [
        remo.Annotation(img_filename=a["image"], classes=a["label"], object=remo.Segment(a["outline"]))
        for a in given["outlines"]
    ]


def labels():
    return [remo.Annotation(img_filename=a["image"], classes=a["label"]) for a in given["labels"]]


def call():
    name = order["operation"]
    if name == "api.create_dataset":
        return sdk.api.create_dataset(given["name"])
    if name == "create_dataset":
        return sdk.create_dataset(given["name"], paths_to_upload=given["files"])
    if name == "add_data_to_dataset":
        names = ["local_files", "paths_to_upload", "urls", "annotation_task", "folder_id", "annotation_set_id"]
        options = {n: given[n] for n in names + ["class_encoding"] if n in given}
        if "csv" in given:
            with open("annotations.csv", "w", newline="") as file:
                file.write(given["csv"])
        return sdk.add_data_to_dataset(given["dataset_id"], **options)
    if name == "dataset.add_annotations":
        dataset = sdk.get_dataset(given["dataset_id"])
        made = boxes() if "boxes" in given else outlines() if "outlines" in given else labels()
        return dataset.add_annotations(made, annotation_set_id=given["annotation_set_id"])
    if name == "add_annotations_to_image":
        return sdk.add_annotations_to_image(given["annotation_set_id"], given["image_id"], boxes())
    if name == "api.export_annotations":
        return sdk.api.export_annotations(**given).decode()
    if name == "get_image_content":
        return len(sdk.get_image_content(given["url"]))
    target = sdk.api if name.startswith("api.") else sdk
    return getattr(target, name.replace("api.", ""))(**given)


def plain(value):
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    names = list(getattr(type(value), "__slots__", ())) or list(getattr(value, "__dict__", {}))
    return {n: plain(getattr(value, n, None)) for n in names if n not in ("sdk", "_sdk")}


try:
    result = plain(call())
except Exception as error:  # What the client raises is part of what it does.
    result = {"raised": type(error).__name__ + ": " + str(error)}
print("\nRESULT " + json.dumps(result))
