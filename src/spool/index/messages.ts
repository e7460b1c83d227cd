import type { Disposition } from "../../core/errors.ts";
import type { IndexOwner } from "./owner.ts";

/** What may be asked of the index thread: the owner's public methods, by name. */
export type Method = keyof IndexOwner;
export type Arguments<M extends Method> = Parameters<IndexOwner[M]>;
export type Result<M extends Method> = ReturnType<IndexOwner[M]>;

/** What a check of the index found. */
export type Verdict =
  | { readonly kind: "whole" | "stopped" }
  | { readonly kind: "damaged"; readonly message: string }
  /** Nothing is known: the check itself met trouble. */
  | { readonly kind: "failed"; readonly code: string; readonly message: string };

/** Ends the index thread after the requests before it. */
export const end = "end";

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
