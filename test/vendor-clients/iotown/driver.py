"""Makes one call of pyiotown against a local server."""

import asyncio
import base64
import json
import sys

order = json.load(sys.stdin)
given = order["input"]
where = [order["server"], "test-token"]
name = order["operation"]


def payload():
    with open(given["file"], "rb") as file:
        image = base64.b64encode(file.read()).decode("ascii")
    return {"image": image, "type": "jpg", "labels": given["labels"]}


def options():
    names = {"group_id", "date_from", "date_to", "count", "sort", "lorawan", "_id", "nid", "include_lorawan_session"}
    return {key: value for key, value in given.items() if key in names}


def call():
    if name.startswith("post."):
        from pyiotown import post

        if name == "post.uploadImage":
            made = payload() if given.get("asDict") else json.dumps(payload())
            return post.uploadImage(*where, made, **options())
        if name == "post.data":
            extra = {key: value for key, value in options().items() if key != "nid"}
            if "files" in given:
                parts = {part: (file, open(file, "rb")) for part, file in given["files"].items()}
                return post.data(*where, given["nid"], given["data"], upload=parts, **extra)
            return post.data(*where, given["nid"], given["data"], **extra)
        if name == "post.command":
            command = bytes.fromhex(given["hex"]) if "hex" in given else given["text"]
            extra = {key: value for key, value in options().items() if key != "nid"}
            return post.command(*where, given["nid"], command, **extra)
        if name == "post.post_files":
            with open(given["file"], "rb") as file:
                raw = file.read()
            return post.post_files({"data": {given["key"]: {"raw": raw, "file_type": "image"}}}, *where)
    if name.startswith("get."):
        from pyiotown import get

        if name == "get.async_node":
            return asyncio.run(get.async_node(*where, **options()))
        if name in ("get.node", "get.storage"):
            return getattr(get, name[4:])(*where, **options())
        found = getattr(get, name[4:])(*where, given["argument"])
        if isinstance(found, bytes):
            return len(found)
        return [found[0], len(found[1])] if isinstance(found, tuple) and isinstance(found[1], bytes) else found
    if name == "delete.data":
        from pyiotown import delete

        return delete.data(*where, **options())
    raise SystemExit("unknown operation " + name)


try:
    result = call()
except Exception as error:  # What the client raises is part of what it does.
    result = {"raised": type(error).__name__ + ": " + str(error)}
print("\nRESULT " + json.dumps(result))
