/** What platforms might answer to a pull that sends nothing: one picture with one box, so that every request is shown. */

interface DryAnswer {
  readonly status: number;
  readonly body?: unknown;
}

/** The start and the end of a JPEG, which is all that a download is asked for. */
const picture = Buffer.from([0xff, 0xd8, 0xff, 0xd9]);

export function dryIotown({ pathname }: URL, label: string): DryAnswer {
  if (!pathname.endsWith("/nn/images")) return { status: 200, body: picture };
  const box = { name: label, x: 0.5, y: 0.5, w: 0.5, h: 0.5 };
  return { status: 200, body: { result: [{ id: "<id>", labels: [box] }] } };
}

export function dryRemo({ pathname }: URL, label: string): DryAnswer {
  const name = "<file_name>";
  if (pathname.endsWith("/login/")) return { status: 200, body: { key: "<key>" } };
  if (pathname.endsWith("/export/")) {
    const annotation = { classes: [label], bbox: { xmin: 0.2, ymin: 0.2, xmax: 0.8, ymax: 0.8 } };
    return { status: 200, body: [{ file_name: name, annotations: [annotation] }] };
  }
  if (pathname.endsWith("/annotation-sets/")) {
    return { status: 200, body: { next: null, results: [{ id: 1, name: "<set>", task: "Object detection" }] } };
  }
  if (!pathname.endsWith("/images/")) return { status: 200, body: picture };
  return { status: 200, body: { next: null, results: [{ id: 1, name, url: "/media/<file_name>" }] } };
}

export function dryCustomVision({ pathname }: URL, label: string): DryAnswer {
  const id = "00000000-0000-4000-8000-000000000000";
  if (pathname.includes("/domains/")) return { status: 200, body: { id, name: "<domain>", type: "ObjectDetection" } };
  if (pathname.endsWith("/tags")) return { status: 200, body: [{ id, name: label, imageCount: 1 }] };
  if (pathname.endsWith("/images/tagged")) {
    const region = { tagId: id, left: 0.2, top: 0.2, width: 0.6, height: 0.6 };
    const originalImageUri = "https://images.example/<image>?<signature>";
    return { status: 200, body: [{ id, width: 640, height: 480, originalImageUri, tags: [], regions: [region] }] };
  }
  if (!pathname.includes("/projects/")) return { status: 200, body: picture };
  return { status: 200, body: { id, name: "<project>", settings: { domainId: id } } };
}
