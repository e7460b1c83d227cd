import { readdir, readFile, readlink } from "node:fs/promises";
import { basename, join } from "node:path";
import type { CameraFormat } from "./formats.ts";

/** What is known of one V4L2 node without opening it. */
interface V4lNode {
  /** For example `video0`. */
  readonly node: string;
  readonly name: string;
  /** Position among the nodes of one camera: 0 captures, others often carry only metadata. */
  readonly index: number;
  /** udev's words, for example `capture`; undefined where udev does not run. */
  readonly capabilities?: readonly string[];
  /** Names under /dev/v4l/by-id and by-path that lead to it. */
  readonly links: readonly string[];
}

export interface V4lCamera {
  readonly kind: "v4l2";
  /** What to write into the config: a name that survives a reboot and another USB port, where there is one. */
  readonly device: string;
  /** For example `/dev/video0`. */
  readonly node: string;
  readonly name: string;
  /** Absent where it was not asked, or could not say. */
  readonly formats?: readonly CameraFormat[];
  /** Why it cannot be used as it is. */
  readonly problem?: CameraProblem;
}

export interface CameraProblem {
  /** As its driver would say, for example `CAMERA_BUSY`. */
  readonly code: string;
  readonly message: string;
}

/** Looks only into files that the kernel and udev keep: no device is opened, none is disturbed. */
export async function findV4lCameras(root = "/"): Promise<readonly V4lCamera[]> {
  return capturingCameras(await readNodes(root));
}

/** The nodes that really capture, in the order of their numbers. */
export function capturingCameras(nodes: readonly V4lNode[]): V4lCamera[] {
  const cameras = nodes.filter(captures).sort((a, b) => nodeNumber(a.node) - nodeNumber(b.node));
  return cameras.map((found) => {
    const twins = cameras.filter(({ name }) => name === found.name);
    return { kind: "v4l2", device: stableName(found, twins), node: `/dev/${found.node}`, name: found.name };
  });
}

/** Parts of a Raspberry Pi's own camera and codec hardware: V4L2 nodes, but no cameras that give pictures by themselves. */
const internalNames = /^(?:bcm2835-|unicam|pispbe|rp1-cfe|rpivid|rpi-hevc)/;

function captures({ capabilities, index, name }: V4lNode): boolean {
  if (internalNames.test(name)) return false;
  if (capabilities === undefined) return index === 0;
  return capabilities.includes("capture") && !capabilities.includes("video_output");
}

/**
 * Cameras of one make without serial numbers have one name by id between them, which is this one's today and the other's
 * after a restart: they are told apart by their sockets.
 */
function stableName({ node, links }: V4lNode, twins: readonly V4lNode[]): string {
  const isShared = twins.some((twin) => linkIn(twin.links, "/by-id/") === undefined);
  const byId = linkIn(links, "/by-id/");
  const byPath = linkIn(links, "/by-path/");
  return (isShared ? (byPath ?? byId) : (byId ?? byPath)) ?? `/dev/${node}`;
}

function linkIn(links: readonly string[], folder: string): string | undefined {
  return links.find((link) => link.includes(folder));
}

function nodeNumber(node: string): number {
  return Number.parseInt(node.replace(/^\D+/, ""), 10);
}

/** `E:ID_V4L_CAPABILITIES=:capture:` among the lines that udev keeps of a device. */
export function capabilitiesOf(udevRecord: string): readonly string[] | undefined {
  const value = /^E:ID_V4L_CAPABILITIES=(.*)$/m.exec(udevRecord)?.[1];
  return value?.split(":").filter((word) => word !== "");
}

async function readNodes(root: string): Promise<V4lNode[]> {
  const system = join(root, "sys/class/video4linux");
  const links = [...(await linksIn(root, "/dev/v4l/by-id")), ...(await linksIn(root, "/dev/v4l/by-path"))];
  const nodes: V4lNode[] = [];
  for (const node of (await namesIn(system)).filter((name) => /^video\d+$/.test(name))) {
    const deviceNumber = await textOf(join(system, node, "dev"));
    const capabilities = capabilitiesOf(await textOf(join(root, "run/udev/data", `c${deviceNumber}`)));
    nodes.push({
      node,
      name: printable(await textOf(join(system, node, "name"))) || node,
      index: Number.parseInt((await textOf(join(system, node, "index"))) || "0", 10),
      ...(capabilities === undefined ? {} : { capabilities }),
      links: links.filter((link) => link.node === node).map((link) => link.path),
    });
  }
  return nodes;
}

/** A USB device says itself what it is called: that is foreign text, bound for a terminal. */
function printable(text: string): string {
  return text
    .replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, " ")
    .trim()
    .slice(0, 80);
}

async function linksIn(root: string, folder: string): Promise<{ path: string; node: string }[]> {
  const links: { path: string; node: string }[] = [];
  for (const name of (await namesIn(join(root, folder))).sort()) {
    const aim = await readlink(join(root, folder, name)).catch(() => "");
    links.push({ path: join(folder, name), node: basename(aim) });
  }
  return links;
}

async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => []);
}

async function textOf(file: string): Promise<string> {
  return readFile(file, "utf8").then(
    (text) => text.trim(),
    () => "",
  );
}
