"""Runs the sample of OneStepAI's document "Image upload" against a local server.

There is no public client. SAMPLE_DOCUMENT names a copy of the document outside the repository; its last listing, the one
with the printed run, is executed as it stands, with the address, the token and the folder of the test.
"""

import json
import os
import shutil
import sys

order = json.load(sys.stdin)
given = order["input"]

with open(os.environ["SAMPLE_DOCUMENT"], encoding="utf-8") as file:
    document = file.read()
sample = document[document.rindex("import requests") : document.rindex("if __name__")]
listing = {}
exec(compile(sample, "sample", "exec"), listing)
listing["OSAI_URL"] = order["server"] + "/api"
listing["API_TOKEN"] = given["accessToken"]

# The sample walks its folder in the order of the directory, which differs between file systems.
in_any_order = os.walk


def in_order_of_names(path):
    for root, folders, files in in_any_order(path):
        folders.sort()
        yield root, folders, sorted(files)


os.walk = in_order_of_names

for target, source in given["files"].items():
    os.makedirs(os.path.join("zdj", os.path.dirname(target)), exist_ok=True)
    shutil.copy(source, os.path.join("zdj", target))
for target, text in given["annotations"].items():
    with open(os.path.join("zdj", target), "w", encoding="utf-8") as file:
        file.write(text)

try:
    result = listing["main"]()
except Exception as error:  # What the sample raises is part of what it does.
    result = {"raised": type(error).__name__ + ": " + str(error)}
print("\nRESULT " + json.dumps(result))
