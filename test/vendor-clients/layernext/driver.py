"""Makes one call of the LayerNext client (packages layernext, layernext-beta, layerx-sdk-beta) against a local server."""

import json
import os
import sys
import time

# The client waits 30 s between polls and 90 s before a data call of the oldest version.
time.sleep = lambda seconds: None
# It uploads a folder in the order of the directory, which differs between file systems.
in_any_order = os.listdir
os.listdir = lambda path: sorted(in_any_order(path))

order = json.load(sys.stdin)
given = order["input"]

try:
    import layernext

    Client = layernext.LayerNextClient
except ImportError:
    import layerx

    Client = layerx.LayerxClient

client = Client("test-key", "test-secret", order["server"])


def annotation_file():
    with open("annotations.json", "w") as file:
        json.dump(given["annotations"], file)
    return os.path.abspath("annotations.json")


def path_of(files):
    """One file by its path, several as a folder: the client makes a difference."""
    if len(files) == 1:
        return os.path.abspath(files[0])
    os.mkdir("folder")
    for file in files:
        os.rename(file, os.path.join("folder", file))
    return os.path.abspath("folder")


def call():
    name = order["operation"]
    if name == "upload_annoations_for_folder":
        return client.upload_annoations_for_folder(
            given["basePath"],
            given["operationId"],
            annotation_file(),
            given["geometry"],
            given["isNormalized"],
            given["isModelRun"],
        )
    if name == "upload_annotations_for_collection":
        return client.upload_annotations_for_collection(
            given["collection"], given["operationId"], annotation_file(), given["isNormalized"], given["isModelRun"]
        )
    if name == "upload_annotations_by_unique_name":
        return client.upload_annotations_by_unique_name(
            given["operationId"], annotation_file(), given["isNormalized"], given["isModelRun"]
        )
    if name == "upload_annotations_by_storage_path":
        return client.upload_annotations_by_storage_path(
            given["operationId"], annotation_file(), given["isNormalized"], given["isModelRun"], given["bucketName"]
        )
    if name == "upload_annotations_by_job_id":
        return client.upload_annotations_by_job_id(
            given["jobId"], given["operationId"], annotation_file(), given["isNormalized"], given["isModelRun"]
        )
    if name == "upload_files_to_collection":
        return client.upload_files_to_collection(
            path_of(given["files"]), "image", given["collection"], given["metadata"], given["override"]
        )
    if name == "upload_files_with_annotations":
        return client.upload_files_to_collection(
            path_of(given["files"]),
            "image",
            given["collection"],
            given["metadata"],
            given["override"],
            annotation_data={
                "json_data_file_path": annotation_file(),
                "operation_unique_id": given["operationId"],
                "is_normalized": given["isNormalized"],
                "is_model_run": given["isModelRun"],
            },
        )
    if name == "file_upload":
        return client.file_upload(path_of(given["files"]), 5, given["collection"], given["metadata"], given["override"])
    if name == "wait_for_job_complete":
        return client.wait_for_job_complete(given["jobId"])
    if name == "get_upload_status":
        return client.get_upload_status(given["collection"])
    if name == "create_system_label":
        return client.create_system_label(given["label"])
    raise SystemExit("unknown operation " + name)


try:
    result = call()
except Exception as error:  # What the client raises is part of what it does.
    result = {"raised": type(error).__name__ + ": " + str(error)}
print("\nRESULT " + json.dumps(result))
