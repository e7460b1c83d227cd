import type { Cursor } from "../../core/types.ts";

/** Where a record stands that was put off. */
export type RemoCursor =
  | { readonly kind: "none" }
  /** Its picture is in the dataset and its annotations are not. */
  | { readonly kind: "labels" }
  /** In a session that the server was still working on. */
  | {
      readonly kind: "session";
      readonly id: string;
      /** How far the session was. */
      readonly mark: string;
      /** Looks in a row that found it there. */
      readonly stands: number;
      /** The session has its annotations alone. */
      readonly labelsOnly: boolean;
    };

export const labelsCursor: Cursor = "labels";

export function sessionCursor(id: string, mark: string, stands: number, labelsOnly: boolean): Cursor {
  return `${labelsOnly ? "labels-session" : "session"} ${id} ${mark} ${stands}`;
}

export function cursorOf(cursor: Cursor | undefined): RemoCursor {
  if (cursor === labelsCursor) return { kind: "labels" };
  const form = /^(labels-)?session ([\w-]{1,64}) (\S{1,64}) (\d{1,3})$/;
  const [, labels, id, mark, stands] = form.exec(cursor ?? "") ?? [];
  if (id === undefined || mark === undefined || stands === undefined) return { kind: "none" };
  return { kind: "session", id, mark, stands: Number(stands), labelsOnly: labels !== undefined };
}
