"""Makes one call of azure-cognitiveservices-vision-customvision against a local server. 0.1.0 speaks v1.2, 3.0.0 v3.3."""

import json
import sys

from azure.cognitiveservices.vision.customvision import training

order = json.load(sys.stdin)
given = order["input"]
models = training.models
is_first = hasattr(training, "training_api")

if is_first:
    client = training.training_api.TrainingApi("test-key", order["server"] + "/customvision/v1.2/Training")
else:
    from msrest.authentication import ApiKeyCredentials

    key = ApiKeyCredentials(in_headers={"Training-key": "test-key"})
    client = training.CustomVisionTrainingClient(order["server"], key)


def only(*names):
    return {name: given[camel(name)] for name in names if camel(name) in given}


def camel(name):
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def file_entry(image):
    with open(image["file"], "rb") as file:
        contents = file.read()
    return models.ImageFileCreateEntry(name=image["name"], contents=contents, tag_ids=image.get("tagIds"), **regions(image))


def regions(image):
    if "regions" not in image:
        return {}
    return {
        "regions": [
            models.Region(tag_id=r["tagId"], left=r["left"], top=r["top"], width=r["width"], height=r["height"])
            for r in image["regions"]
        ]
    }


def create_batch(method, batch_name, entries):
    """v1.2 takes the fields of the batch one by one, v3 the batch."""
    if is_first:
        return method(given["projectId"], images=entries, **only("tag_ids"))
    extra = {"metadata": given["metadata"]} if "metadata" in given else {}
    batch = getattr(models, batch_name)(images=entries, **only("tag_ids"), **extra)
    return method(given["projectId"], batch)


def call():
    name = order["operation"]
    if name == "create_images_from_files":
        entries = [file_entry(image) for image in given["images"]]
        return create_batch(client.create_images_from_files, "ImageFileCreateBatch", entries)
    if name == "create_images_from_urls":
        entries = [models.ImageUrlCreateEntry(url=i["url"], tag_ids=i.get("tagIds"), **regions(i)) for i in given["images"]]
        return create_batch(client.create_images_from_urls, "ImageUrlCreateBatch", entries)
    if name == "create_images_from_predictions":
        entries = [models.ImageIdCreateEntry(id=i["id"], tag_ids=i.get("tagIds"), **regions(i)) for i in given["images"]]
        return create_batch(client.create_images_from_predictions, "ImageIdCreateBatch", entries)
    if name == "create_images_from_data":
        with open(given["file"], "rb") as file:
            return client.create_images_from_data(given["projectId"], file, **only("tag_ids"))
    if name in ("post_image_tags", "create_image_tags"):
        tags = [models.ImageTagCreateEntry(image_id=t["imageId"], tag_id=t["tagId"]) for t in given["tags"]]
        return getattr(client, name)(given["projectId"], tags=tags)
    if name == "create_image_regions":
        wanted = [
            models.ImageRegionCreateEntry(
                image_id=r["imageId"], tag_id=r["tagId"], left=r["left"], top=r["top"], width=r["width"], height=r["height"]
            )
            for r in given["regions"]
        ]
        return client.create_image_regions(given["projectId"], regions=wanted)
    options = only("image_ids", "tag_ids", "region_ids", "iteration_id", "order_by", "take", "skip", "name", "description")
    first = only("project_id", "domain_id").values()
    return getattr(client, name)(*first, **options)


def plain(value):
    if isinstance(value, list):
        return [plain(each) for each in value]
    if hasattr(value, "serialize"):
        return {key: plain(each) for key, each in value.__dict__.items() if key != "additional_properties"}
    return value if value is None or isinstance(value, (bool, int, float, str, dict)) else str(value)


try:
    result = plain(call())
except Exception as error:  # What the client raises is part of what it does.
    result = {"raised": type(error).__name__ + ": " + str(error)}
print("\nRESULT " + json.dumps(result))
