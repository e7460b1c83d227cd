import type { Disposition } from "../../core/errors.ts";
import type { IndexOwner } from "./owner.ts";

/** What may be asked of the index thread: the owner's public methods, by name. */
export type Method = keyof IndexOwner;
export type Arguments<M extends Method> = Parameters<IndexOwner[M]>;
export type Result<M extends Method> = ReturnType<IndexOwner[M]>;

export interface Request {
  readonly id: number;
  readonly method: Method;
  readonly values: readonly unknown[];
}

export type Reply =
  | { readonly id: number; readonly value: unknown }
  | {
      readonly id: number;
      readonly error: { readonly code: string; readonly message: string; readonly disposition: Disposition };
    };
