import { isFields, own, type Fields } from "../src/config/overlay.ts";
import { isProtectiveText, protections } from "../src/config/unknown-settings.ts";

/** What is at stake where an overlay cannot be used: whether the operator's file alone would show more than both did. */

/** Of a config with its cameras as objects by their id. */
export function hidesSomething(config: Fields): boolean {
  const cameras = own(config, "cameras");
  return isFields(cameras) && Object.values(cameras).some((camera) => own(camera, "privacy") !== undefined);
}

/**
 * Whether these changes hide something, keep less, or send less. Above a file that hides something every change counts:
 * a picture that is turned another way has something else under its mask.
 */
export function mayUncover(changes: Fields, file: Fields): boolean {
  return hidesSomething(file) || protections(changes).length > 0 || takesAway(changes);
}

/** The same of an overlay that is damaged: what is left of it, and what may have been in it. */
export function mayHaveHidden(text: string, file: Fields): boolean {
  return hidesSomething(file) || isProtectiveText(text) || own(own(file, "privacy"), "remoteChanges") === true;
}

/** A camera or a target that would be back. */
function takesAway(changes: Fields): boolean {
  return ["cameras", "targets"].some((list) => {
    const items = own(changes, list);
    return items === null || (isFields(items) && Object.values(items).includes(null));
  });
}
