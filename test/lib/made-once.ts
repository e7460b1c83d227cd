import { cp } from "node:fs/promises";
import { tempFolder } from "./temp.ts";

/** What many tests start from and none of them looks at while it is made: a folder, of which each gets a copy. */
export class MadeOnce<T> implements AsyncDisposable {
  readonly #make: (folder: string) => Promise<T>;
  #first: Promise<AsyncDisposable & { readonly path: string; readonly made: T }> | undefined;

  constructor(make: (folder: string) => Promise<T>) {
    this.#make = make;
  }

  /** `made` is what making it gave. */
  async copy(): Promise<AsyncDisposable & { readonly path: string; readonly made: T }> {
    this.#first ??= this.#makeFirst();
    const { path, made } = await this.#first;
    const folder = await tempFolder();
    await cp(path, folder.path, { recursive: true });
    return { ...folder, made };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await (await this.#first)?.[Symbol.asyncDispose]();
  }

  async #makeFirst() {
    const folder = await tempFolder();
    return { ...folder, made: await this.#make(folder.path) };
  }
}
