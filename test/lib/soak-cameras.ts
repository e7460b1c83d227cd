import { mkdir, readdir, rename, writeFile } from "node:fs/promises";
import { createServer, type ServerResponse } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { hashOf } from "./soak-ledger.ts";
import { numberedPicture } from "./soak-pictures.ts";

/** Pictures of one camera begin here, so that no two cameras give the same. */
const httpFirst = 2 ** 44;
const folderFirst = 2 ** 45;

/** What a network camera does. */
export type HttpCameraMood = "well" | "refuses" | "hangs" | "rubbish" | "resets";

/** A camera that answers each request with one JPEG, in one of its moods. */
export class MoodyHttpCamera {
  mood: HttpCameraMood = "well";
  /** Hashes of its pictures. */
  readonly given = new Set<string>();
  readonly #server = createServer((_request, response) => void this.#answer(response));
  #sent = 0;

  async start(): Promise<string> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/snapshot.jpg`;
  }

  async stop(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, "close");
  }

  async #answer(response: ServerResponse): Promise<void> {
    const picture = () => response.writeHead(200, { "Content-Type": "image/jpeg" });
    this.#sent += 1;
    switch (this.mood) {
      case "well": {
        const jpeg = await numberedPicture(httpFirst + this.#sent);
        this.given.add(hashOf(jpeg));
        picture().end(jpeg);
        return;
      }
      case "refuses":
        response.writeHead(503).end();
        return;
      case "hangs":
        return;
      case "rubbish":
        picture().end(Buffer.alloc(3_000, "rubbish "));
        return;
      case "resets":
        response.socket?.resetAndDestroy();
        return;
    }
  }
}

/** Puts pictures into a watched folder, as a camera does by FTP; while it is silent, none. */
export class FolderFeeder {
  isSilent = false;
  /** By the hash of a picture: its file. */
  readonly given = new Map<string, string>();
  readonly #folder: string;
  readonly #timer: NodeJS.Timeout;
  #fed = 0;
  #rubbish = 0;

  constructor(folder: string, periodMs: number) {
    this.#folder = folder;
    this.#timer = setInterval(() => void this.#feed(), periodMs);
  }

  /** The next so many are no pictures. */
  spoil(pictures: number): void {
    this.#rubbish = pictures;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Of the pictures that were taken from the folder. */
  async taken(): Promise<ReadonlySet<string>> {
    const left = new Set(await readdir(this.#folder));
    return new Set([...this.given].filter(([, name]) => !left.has(name)).map(([hash]) => hash));
  }

  async #feed(): Promise<void> {
    if (this.isSilent) return;
    const name = `picture-${String((this.#fed += 1)).padStart(7, "0")}.jpg`;
    const isRubbish = this.#rubbish > 0;
    if (isRubbish) this.#rubbish -= 1;
    const bytes = isRubbish ? Buffer.alloc(3_000, "rubbish ") : await numberedPicture(folderFirst + this.#fed);
    if (!isRubbish) this.given.set(hashOf(bytes), name);
    const beside = join(this.#folder, "..", "being-written");
    await mkdir(beside, { recursive: true });
    await writeFile(join(beside, name), bytes);
    await rename(join(beside, name), join(this.#folder, name));
  }
}
