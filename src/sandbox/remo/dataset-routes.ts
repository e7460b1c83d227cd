import { jsonObjectBody, violated } from "../checks.ts";
import type { SandboxAnswer, SandboxRequest } from "../http-sandbox.ts";
import { flag, positive, type Route, type RouteTools } from "./routes.ts";
import { exactly, listedSet } from "./set-routes.ts";
import { nameIn } from "./upload-request.ts";
import type { Dataset, StoredPicture } from "./world.ts";

const base = "/api/v1/ui/datasets";
const date = "2026-01-01T00:00:00Z";

/** Datasets, what they contain, and single images. */
export function datasetRoutes(tools: RouteTools): readonly Route[] {
  const { world } = tools;
  return [
    {
      operation: exactly("POST", "/api/dataset/"),
      judge(request) {
        const name = nameIn(jsonObjectBody(request.headers["content-type"] ?? "", request.body));
        return () => ({ status: 200, body: datasetBody(tools, world.addDataset(name)) });
      },
    },
    {
      operation: exactly("GET", `${base}/`),
      query: ["is_public", "is_archived", "limit", "offset"],
      judge(request) {
        const [isPublic, isArchived] = [flag(request, "is_public"), flag(request, "is_archived")];
        positive(request, "limit");
        return () => {
          const found = [...world.datasets.values()].filter(
            (each) =>
              (isPublic ?? each.isPublic) === each.isPublic && (isArchived ?? each.isArchived) === each.isArchived,
          );
          return tools.page(
            request,
            found.map((dataset) => datasetBody(tools, dataset)),
          );
        };
      },
    },
    {
      operation: exactly("GET", `${base}/(\\d+)/`),
      judge(_, [id]) {
        const dataset = world.datasets.get(Number(id));
        // A mistyped id is the operator's.
        if (dataset === undefined) return () => ({ status: 404, body: { detail: "Not found." } });
        return () => ({ status: 200, body: datasetBody(tools, dataset) });
      },
    },
    {
      operation: exactly("GET", `${base}/(\\d+)/annotation-sets/`),
      query: ["limit", "offset"],
      judge(request, [id]) {
        const dataset = tools.dataset(id);
        positive(request, "limit");
        return () =>
          tools.page(
            request,
            world.setsOf(dataset.id).map((set) => listedSet(tools, set)),
          );
      },
    },
    {
      operation: exactly("GET", `${base}/(\\d+)/contents/`),
      query: ["limit", "offset", "image_name"],
      judge: (request, [id]) => contents(tools, request, tools.dataset(id), undefined),
    },
    {
      operation: exactly("GET", `${base}/(\\d+)/contents/(\\d+)/`),
      query: ["limit", "offset"],
      judge(request, [id, folderId]) {
        const folder = world.folders.get(Number(folderId)) ?? violated(`there is no folder ${folderId}`, 404);
        return contents(tools, request, tools.dataset(id), folder.id);
      },
    },
    {
      operation: exactly("GET", "/api/v1/sdk/datasets/(\\d+)/images/"),
      query: ["limit", "offset"],
      judge(request, [id]) {
        const dataset = tools.dataset(id);
        return () => tools.page(request, picturesOf(tools, dataset).map(sdkImage));
      },
    },
    ...imageRoutes(tools),
  ];
}

function imageRoutes(tools: RouteTools): readonly Route[] {
  const { world } = tools;
  const bytesOf = (picture: StoredPicture): SandboxAnswer => {
    const body = world.bytesOf(picture.id);
    if (body === undefined) return { status: 404, body: { error: "the sandbox keeps no more pictures" } };
    return { status: 200, headers: { "Content-Type": "image/jpeg" }, body };
  };
  return [
    {
      operation: exactly("GET", "/media/(\\d+)/[^/]+"),
      judge(_, [id]) {
        const picture = tools.picture(id);
        return () => bytesOf(picture);
      },
    },
    {
      operation: exactly("GET", "/api/v1/ui/images/(\\d+)/cache/"),
      judge(_, [id]) {
        const picture = tools.picture(id);
        return () => ({ status: 200, body: { status: `Image #${picture.id} - cached` } });
      },
    },
    {
      operation: exactly("GET", "/api/v1/ui/images/(\\d+)/downsample/"),
      query: ["source_x", "source_y", "source_width", "source_height", "downscale"],
      judge(request, [id]) {
        const picture = tools.picture(id);
        const [x, y] = [wholeNumber(request, "source_x"), wholeNumber(request, "source_y")];
        const [width, height] = [positive(request, "source_width"), positive(request, "source_height")];
        const downscale = Number(request.query.get("downscale") ?? 1);
        if (!(downscale > 0)) violated("downscale is no positive number");
        if (x + (width ?? 0) > picture.width || y + (height ?? 0) > picture.height)
          violated("the fragment leaves the image");
        // The sandbox decodes no pixels: the whole picture stands for its fragment.
        return () => bytesOf(picture);
      },
    },
    {
      operation: exactly("GET", "/api/dataset/(\\d+)/annotation-set/(\\d+)/image/(\\d+)/annotation/"),
      judge(_, [, setId, imageId]) {
        const rows = tools.set(setId).annotations.get(tools.picture(imageId).id) ?? [];
        const info = rows.map(({ classes, points }, at) => ({
          name: `OBJ ${at}`,
          coordinates: points,
          auto_created: true,
          position_number: at,
          classes: classes.map((name) => ({ name, lower: name.toLowerCase(), questionable: false })),
        }));
        return () => ({ status: 200, body: { annotation_info: info } });
      },
    },
  ];
}

/** Of the root or of one folder; a search by name goes through all of them. */
function contents(
  tools: RouteTools,
  request: SandboxRequest,
  dataset: Dataset,
  folderId: number | undefined,
): () => SandboxAnswer {
  const { world } = tools;
  positive(request, "limit");
  const wanted = request.query.get("image_name")?.split(",");
  return () => {
    const folders = [...world.folders.values()]
      .filter((folder) => folder.datasetId === dataset.id && folderId === undefined && wanted === undefined)
      .map(({ id, name }) => ({
        record_type: "folder",
        image: null,
        folder: { id, name, dataset_id: dataset.id, updated_at: date, created_at: date, preview: null },
      }));
    const images = picturesOf(tools, dataset)
      .filter((picture) =>
        wanted === undefined ? picture.folderId === folderId : wanted.some((part) => picture.name.includes(part)),
      )
      .map((picture) => ({ record_type: "image", image: contentsImage(picture), folder: null }));
    return tools.page(request, [...folders, ...images]);
  };
}

function picturesOf({ world }: RouteTools, dataset: Dataset): readonly StoredPicture[] {
  return [...world.pictures.values()].filter(({ datasetId }) => datasetId === dataset.id);
}

function contentsImage({ id, name, width, height, sizeBytes }: StoredPicture): object {
  return {
    id,
    preview: `/media/${id}/${name}`,
    name,
    annotations: { coordinates: [], classes: [] },
    dimensions: [width, height],
    size_in_bytes: sizeBytes,
    created_at: date,
  };
}

function sdkImage({ id, name, datasetId, width, height, sizeBytes }: StoredPicture): object {
  const url = `/media/${id}/${encodeURIComponent(name)}`;
  return { id, name, dataset_id: datasetId, url, path: null, size: sizeBytes, width, height, upload_date: date };
}

function datasetBody(tools: RouteTools, dataset: Dataset): object {
  const pictures = picturesOf(tools, dataset);
  return {
    id: dataset.id,
    name: dataset.name,
    owner: "Sandbox",
    is_archived: dataset.isArchived,
    image_thumbnails: [],
    quantity: pictures.length,
    size_in_bytes: pictures.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    created_at: date,
    updated_at: date,
    license: null,
    is_public: dataset.isPublic,
    is_readonly: false,
  };
}

function wholeNumber({ query }: SandboxRequest, key: string): number {
  const text = query.get(key) ?? "0";
  return /^\d{1,9}$/.test(text) ? Number(text) : violated(`${key} is "${text}"`);
}
