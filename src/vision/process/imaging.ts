import type { Sharp, SharpOptions } from "sharp";
import { AgentError, messageOf } from "../../core/errors.ts";
import { scanJpeg } from "../../core/jpeg.ts";
import { visionLimits } from "../../core/vision-limits.ts";
import { privacyLimits } from "../../core/privacy-limits.ts";
import type { PrivacyMask } from "../../core/privacy.ts";
import type { Box } from "../../core/types.ts";
import type { ReencodeOptions } from "../../core/vision-port.ts";
import { pixelate } from "./pixelate.ts";
import { fillPolygon } from "./polygon-fill.ts";

/**
 * The one place that knows sharp: pictures in, pixels or JPEGs out. EXIF orientation is applied everywhere, and no
 * metadata leaves. sharp is loaded on first use.
 */

type SharpModule = (input: Uint8Array, options?: SharpOptions) => Sharp;

export interface PictureSize {
  readonly width: number;
  readonly height: number;
}

export interface Pixels extends PictureSize {
  /** Red, green, blue; row by row. */
  readonly rgb: Uint8Array;
}

export interface Jpeg extends PictureSize {
  readonly jpeg: Buffer;
}

/** Formats that a camera or a person hands over. Anything else, SVG above all, is not decoded as a picture. */
const formats: readonly string[] = ["jpeg", "png", "webp"];

/**
 * Only damage ends a decode: cameras of one well-known make put stray bytes before the end of every picture, which
 * libjpeg merely warns about.
 */
const decodeOptions: SharpOptions = { failOn: "error", limitInputPixels: visionLimits.pixelsMax, autoOrient: true };

export class Imaging {
  readonly #sharp: SharpModule;

  constructor(sharp: SharpModule) {
    this.#sharp = sharp;
  }

  /** Size after EXIF rotation. Fails with `IMAGE_UNREADABLE`. */
  async size(picture: Buffer): Promise<PictureSize> {
    const scan = scanJpeg(picture);
    if (scan.kind === "complete") {
      const { width, height, orientation } = scan.facts;
      if (width * height > visionLimits.pixelsMax) throw unreadable(`it has ${width} x ${height} pixels`);
      return orientation >= 5 ? { width: height, height: width } : { width, height };
    }
    if (picture[0] === 0xff && picture[1] === 0xd8) throw unreadable(scan.why);
    const { format, autoOrient } = await this.#try(() => this.#sharp(picture, decodeOptions).metadata());
    if (!formats.includes(format)) throw unreadable(`it is ${format}`);
    return { width: autoOrient.width, height: autoOrient.height };
  }

  /** The picture in exactly this size, smoothed as it is reduced. */
  async pixelsAt(picture: Buffer, size: PictureSize): Promise<Pixels> {
    const opened = this.#sharp(picture, decodeOptions);
    return this.#pixels(opened.resize(size.width, size.height, { fit: "fill", kernel: "cubic" }));
  }

  /** Reduced so that its long side has this many pixels at most. */
  async pixelsWithin(picture: Buffer, sideMax: number): Promise<Pixels> {
    return this.#pixels(reduce(this.#sharp(picture, decodeOptions), sideMax, sideMax));
  }

  async pixels(picture: Buffer): Promise<Pixels> {
    return this.#pixels(this.#sharp(picture, decodeOptions));
  }

  async reencode(picture: Buffer, options: ReencodeOptions): Promise<Jpeg> {
    await this.size(picture);
    const opened = this.#sharp(picture, decodeOptions);
    const { widthMax, heightMax, quality } = options;
    const reduced = widthMax === undefined && heightMax === undefined ? opened : reduce(opened, widthMax, heightMax);
    return this.#jpeg(reduced, quality);
  }

  async thumbnail(picture: Buffer, sideMax: number, quality: number): Promise<Jpeg> {
    await this.size(picture);
    return this.#jpeg(reduce(this.#sharp(picture, decodeOptions), sideMax, sideMax), quality);
  }

  /** Fails with `IMAGE_MASK_MISFIT` or `IMAGE_UNREADABLE`. */
  async paint(picture: Buffer, { size, polygons }: PrivacyMask): Promise<Jpeg> {
    // Before anything is decoded, and again of what was: the header of a picture is the word of whoever sent it.
    assertFits(await this.size(picture), size);
    const pixels = await this.pixels(picture);
    assertFits(pixels, size);
    for (const polygon of polygons) fillPolygon(pixels, polygon);
    return this.#encoded(pixels);
  }

  async pixelate(picture: Buffer, boxes: readonly Box[]): Promise<Jpeg> {
    await this.size(picture);
    const pixels = await this.pixels(picture);
    for (const box of boxes) pixelate(pixels, box);
    return this.#encoded(pixels);
  }

  /** Draws an SVG, over a picture where one is given. Fails with `IMAGE_SVG` or `IMAGE_UNREADABLE`. */
  async render(svg: string, quality: number, under: Buffer | undefined): Promise<Jpeg> {
    const drawing = Buffer.from(svg);
    try {
      if (under === undefined) return await this.#jpeg(this.#sharp(drawing, decodeOptions), quality);
      await this.size(under);
      return await this.#jpeg(this.#sharp(under, decodeOptions).composite([{ input: drawing }]), quality);
    } catch (error) {
      if (under !== undefined) throw error;
      throw new AgentError("IMAGE_SVG", `cannot draw the scene: ${messageOf(error)}`, {
        disposition: "reject",
        cause: error,
      });
    }
  }

  async #pixels(opened: Sharp): Promise<Pixels> {
    const { data, info } = await this.#try(() =>
      opened.toColourspace("srgb").removeAlpha().raw().toBuffer({ resolveWithObject: true }),
    );
    if (info.channels !== 3) throw unreadable(`it has ${info.channels} channels`);
    return { rgb: data, width: info.width, height: info.height };
  }

  async #encoded({ rgb, width, height }: Pixels): Promise<Jpeg> {
    return this.#jpeg(this.#sharp(rgb, { raw: { width, height, channels: 3 } }), privacyLimits.quality);
  }

  async #jpeg(opened: Sharp, quality: number): Promise<Jpeg> {
    const { data, info } = await this.#try(() => opened.jpeg({ quality }).toBuffer({ resolveWithObject: true }));
    return { jpeg: data, width: info.width, height: info.height };
  }

  async #try<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw unreadable(messageOf(error), error);
    }
  }
}

/** Fails with `IMAGING_MISSING`. */
export async function openImaging(): Promise<Imaging> {
  try {
    const { default: sharp } = await import("sharp");
    // One picture at a time is worked on, and never twice the same one.
    sharp.concurrency(1);
    sharp.cache(false);
    return new Imaging(sharp);
  } catch (error) {
    const where = `${process.platform}-${process.arch}`;
    throw new AgentError("IMAGING_MISSING", `sharp does not load on ${where}: ${messageOf(error)}`, {
      disposition: "fatal",
      cause: error,
    });
  }
}

function assertFits(found: PictureSize, drawnFor: PictureSize): void {
  if (found.width === drawnFor.width && found.height === drawnFor.height) return;
  const sizes = `it is ${found.width}x${found.height}, and the mask was drawn for ${drawnFor.width}x${drawnFor.height}`;
  throw new AgentError("IMAGE_MASK_MISFIT", `cannot paint the privacy mask: ${sizes}`, { disposition: "reject" });
}

function reduce(opened: Sharp, width: number | undefined, height: number | undefined): Sharp {
  return opened.resize({
    ...(width === undefined ? {} : { width }),
    ...(height === undefined ? {} : { height }),
    fit: "inside",
    withoutEnlargement: true,
  });
}

function unreadable(why: string, cause?: unknown): AgentError {
  return new AgentError("IMAGE_UNREADABLE", `cannot decode the picture: ${why}`, { disposition: "reject", cause });
}
