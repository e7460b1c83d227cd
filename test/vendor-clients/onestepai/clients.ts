import type { VendorClient } from "../vendor-client.ts";
import { onestepaiAnswers } from "./answers.ts";

/** The run of the document's sample: two categories, .jpg and .png, with and without an annotation. */

const voc = [
  "<annotation>",
  "<filename>photo-1.jpg</filename><path>photo-1.jpg</path><source></source>",
  "<size><width>96</width><height>54</height><depth>3</depth></size><segmented>0</segmented>",
  "<object><name>fork lift &amp; co</name><pose>Unspecified</pose><truncated>0</truncated><difficult>0</difficult>",
  "<occluded>0</occluded><bndbox><xmin>10</xmin><xmax>40</xmax><ymin>6</ymin><ymax>18</ymax></bndbox></object>",
  "</annotation>",
  "",
].join("\n");

export const onestepaiClients: readonly VendorClient[] = [
  {
    kind: "onestepai",
    id: "document-sample-image-upload",
    name: "the sample of the document “Image upload”, run with requests",
    language: "python",
    driver: "driver.py",
    cases: [
      {
        name: "upload-folder",
        operation: "main",
        call: 'main(), with the pictures of "input" in the folder "zdj"',
        input: {
          accessToken: "test-key",
          dataset: "holy_hand_grenade",
          files: {
            "forklift/photo-1.jpg": "photo-1.jpg",
            "forklift/photo-2.jpg": "photo-2.jpg",
            "person/photo-3.png": "photo-3.png",
          },
          annotations: { "forklift/photo-1.xml": voc },
        },
      },
    ],
    answers: () => onestepaiAnswers(),
  },
];
