import { mkdir, rename, writeFile } from "node:fs/promises";
import { createServer, type ServerResponse } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { numberedPicture } from "./soak-pictures.ts";

/** Pictures of one camera begin here, so that no two cameras give the same. */
const httpFirst = 2 ** 44;
const folderFirst = 2 ** 45;

/** What a network camera does. */
export type HttpCameraMood = "well" | "refuses" | "hangs" | "rubbish" | "resets";

/** A camera that answers each request with one JPEG, in one of its moods. */
export class MoodyHttpCamera {
  mood: HttpCameraMood = "well";
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
      case "well":
        picture().end(await numberedPicture(httpFirst + this.#sent));
        return;
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

  async #feed(): Promise<void> {
    if (this.isSilent) return;
    const name = `picture-${String((this.#fed += 1)).padStart(7, "0")}.jpg`;
    const isRubbish = this.#rubbish > 0;
    if (isRubbish) this.#rubbish -= 1;
    const bytes = isRubbish ? Buffer.alloc(3_000, "rubbish ") : await numberedPicture(folderFirst + this.#fed);
    const beside = join(this.#folder, "..", "being-written");
    await mkdir(beside, { recursive: true });
    await writeFile(join(beside, name), bytes);
    await rename(join(beside, name), join(this.#folder, name));
  }
}
