import { jsonObjectBody, onlyKeys, violated } from "../checks.ts";
import type { SandboxAnswer, SandboxRequest } from "../http-sandbox.ts";
import { annotationRows, type RemoTaskName } from "./csv.ts";
import { noBody, type Route, type RouteTools } from "./routes.ts";
import type { RemoUploadSessions, SessionFile, UploadSession } from "./sessions.ts";
import { exactly } from "./set-routes.ts";
import { uploadRequest, type UploadedFile, type UploadRequest } from "./upload-request.ts";
import type { AnnotationSet, Dataset } from "./world.ts";

const sessionPath = "/api/v1/ui/uploads/([^/]+)";

/** Uploads, links and the sessions that bind them together. */
export function uploadRoutes(tools: RouteTools, sessions: RemoUploadSessions, log: UploadLog): readonly Route[] {
  return [
    {
      operation: exactly("POST", "/api/v1/ui/uploads/"),
      judge(request) {
        requireSessions(tools);
        const json = jsonObjectBody(request.headers["content-type"] ?? "", request.body);
        onlyKeys(json, ["dataset_id"], "the session");
        const datasetId = json["dataset_id"];
        if (typeof datasetId !== "number") return violated("dataset_id is no number");
        const dataset = tools.world.datasets.get(datasetId);
        if (dataset === undefined) return () => ({ status: 404, body: { error: "Dataset not found" } });
        return () => ({ status: 201, body: statusBody(sessions.open(dataset)) });
      },
    },
    {
      operation: exactly("POST", `${sessionPath}/complete/`),
      judge(request, [id = ""]) {
        requireSessions(tools);
        noBody(request);
        return () => {
          const session = sessions.get(id);
          const begun = session?.status === "not complete";
          if (begun) {
            session.status = "pending";
            session.polls = 0;
          }
          return { status: begun ? 200 : 404, body: { session_id: id } };
        };
      },
    },
    {
      operation: exactly("GET", `${sessionPath}/status/`),
      judge(_, [id = ""]) {
        requireSessions(tools);
        return () => {
          const session = sessions.get(id);
          if (session === undefined) return { status: 404, body: { error: `session_id: ${id} was not found` } };
          sessions.poll(session);
          if (tools.switches.emptyStatuses > 0) {
            tools.switches.emptyStatuses -= 1;
            return { status: 200, body: {} };
          }
          return { status: 200, body: statusBody(session) };
        };
      },
    },
    {
      operation: exactly("POST", "/api/dataset/(\\d+)/upload/"),
      query: ["annotation_set_id", "folder_id"],
      judge: (request, [id]) => new Upload(tools, sessions, log).judge(request, id),
    },
  ];
}

/** What came over the wire, whatever became of it. */
export interface UploadLog {
  received(file: SessionFile): void;
  linked(localFiles: readonly string[], urls: readonly string[]): void;
}

function requireSessions({ switches }: RouteTools): void {
  if (switches.generation === "before-sessions") violated("no such method and path", 404);
}

class Upload {
  readonly #tools: RouteTools;
  readonly #sessions: RemoUploadSessions;
  readonly #log: UploadLog;

  constructor(tools: RouteTools, sessions: RemoUploadSessions, log: UploadLog) {
    this.#tools = tools;
    this.#sessions = sessions;
    this.#log = log;
  }

  judge(request: SandboxRequest, datasetId: string | undefined): () => SandboxAnswer {
    const dataset = this.#tools.world.datasets.get(Number(datasetId));
    if (dataset === undefined) return () => ({ status: 404, body: { detail: "Not found." } });
    const upload = uploadRequest(request);
    const set = this.#setOf(upload, dataset);
    if (upload.folderId !== undefined && this.#tools.world.folders.get(upload.folderId)?.datasetId !== dataset.id) {
      violated(`dataset ${dataset.id} has no folder ${upload.folderId}`);
    }
    if (this.#tools.switches.remote && upload.localFiles.length > 0) violated("no such file on the server");
    const session = this.#sessionOf(upload, dataset);
    const dropped = session !== undefined && session.status !== "not complete";
    if (dropped && this.#tools.switches.completedSession === "refused") violated("the session is completed");
    const task = upload.task ?? set?.task;
    const files = upload.files.map((file) => this.#read(file, task, upload, session, dataset));
    return () => {
      for (const file of files) this.#log.received(file);
      this.#log.linked(upload.localFiles, upload.urls);
      if (dropped) return { status: 200, body: { session_id: session.id } };
      return this.#takeIn(session ?? this.#sessions.open(dataset), upload, set, files);
    };
  }

  #takeIn(
    session: UploadSession,
    upload: UploadRequest,
    set: AnnotationSet | undefined,
    files: readonly SessionFile[],
  ): SandboxAnswer {
    session.files.push(...files, ...linkedFiles(upload));
    session.folderId ??= upload.folderId;
    session.set ??= set ?? this.#newSet(session, upload.task);
    if (this.#tools.switches.generation === "sessions") return { status: 200, body: { session_id: session.id } };
    this.#sessions.process(session);
    const { images, annotations } = session;
    const errors = [...images.errors, ...annotations.errors].map(
      (each) => `${each.filename}: ${each.errors.join("; ")}`,
    );
    return { status: 200, body: { "files uploaded": images.successful, annotations: annotations.successful, errors } };
  }

  /** The server makes one of its own for a task without a set. */
  #newSet(session: UploadSession, task: RemoTaskName | undefined): AnnotationSet | undefined {
    if (task === undefined) return undefined;
    const { world } = this.#tools;
    const count = world.setsOf(session.dataset.id).length;
    return world.addSet(session.dataset.id, count === 0 ? task : `${task} ${count}`, task);
  }

  #setOf({ annotationSetId, task }: UploadRequest, dataset: Dataset): AnnotationSet | undefined {
    if (annotationSetId === undefined) return undefined;
    const set = this.#tools.world.sets.get(annotationSetId);
    if (set?.datasetId !== dataset.id)
      return violated(`dataset ${dataset.id} has no annotation set ${annotationSetId}`, 404);
    if (task !== undefined && task !== set.task) violated(`annotation set ${set.id} is for ${set.task}, not ${task}`);
    return set;
  }

  #sessionOf({ sessionId }: UploadRequest, dataset: Dataset): UploadSession | undefined {
    if (sessionId === undefined) return undefined;
    requireSessions(this.#tools);
    const session = this.#sessions.get(sessionId) ?? violated(`session_id: ${sessionId} was not found`, 404);
    if (session.dataset !== dataset) violated(`session ${sessionId} is for dataset ${session.dataset.id}`);
    return session;
  }

  #read(
    file: UploadedFile,
    task: RemoTaskName | undefined,
    { files }: UploadRequest,
    session: UploadSession | undefined,
    dataset: Dataset,
  ): SessionFile {
    if (file.kind !== "csv") return file;
    const { name } = file;
    // Without a task the server takes the file and does not read it.
    if (task === undefined || !name.toLowerCase().endsWith(".csv"))
      return { kind: "annotations", name, rows: undefined };
    const together = [...(session?.files ?? []), ...files];
    const rows = annotationRows(file.bytes, task, (image) => {
      const here = together.find((each) => each.name === image);
      if (here?.kind === "image") return here.picture;
      return this.#tools.world.pictureNamed(dataset.id, image);
    });
    return { kind: "annotations", name, rows };
  }
}

/** Links stand for themselves: nothing is fetched. */
function linkedFiles({ localFiles, urls }: UploadRequest): readonly SessionFile[] {
  return [...localFiles, ...urls].flatMap((path): readonly SessionFile[] => {
    const name = path.slice(path.lastIndexOf("/") + 1);
    if (!/\.(jpe?g|png|tiff?)$/i.test(name)) return [];
    return [{ kind: "image", name, picture: { sha256: "", width: 0, height: 0, sizeBytes: 0 } }];
  });
}

function statusBody(session: UploadSession): object {
  const { id, createdAt, dataset, status, images, annotations, errors, files } = session;
  const uploaded = (kinds: readonly string[]): object => {
    const items = files.filter(({ kind }) => kinds.includes(kind)).length;
    return { items, size: 0, human_size: "0 b" };
  };
  return {
    session_id: id,
    created_at: createdAt,
    finished_at: null,
    dataset: { id: dataset.id, name: dataset.name },
    status,
    substatus: "",
    images,
    annotations,
    errors,
    warnings: [],
    uploaded: {
      total: uploaded(["image", "annotations", "archive"]),
      images: uploaded(["image"]),
      annotations: uploaded(["annotations"]),
      archives: uploaded(["archive"]),
    },
  };
}
