// One native frame to an image file: pixels to 8 bit, then cropped, turned, scaled, written over and encoded by sharp (libvips).
import type { Sharp } from 'sharp';
import { ArchiveError } from '../../tiering/core/errors.js';
import type { Frame } from '../codecs/frame.js';
import { annotationSvg } from './annotation.js';
import { geometryOf } from './geometry.js';
import { withProfile } from './icc.js';
import { pictureOf } from './picture.js';
import { sharp } from './sharp.js';
import type { Look, Rendered, RenderedType, RenderRequest } from './types.js';

const QUALITY = 90;

function encoded(image: Sharp, type: RenderedType, quality: number | null): Sharp {
  switch (type) {
    case 'image/jpeg':
      return image.jpeg({
        quality: quality ?? QUALITY,
        chromaSubsampling: (quality ?? QUALITY) >= 90 ? '4:4:4' : '4:2:0',
      });
    case 'image/png':
      return image.png({ compressionLevel: 6 });
    case 'image/gif':
      return image.gif({ dither: 0 });
    case 'image/webp':
      return image.webp({ quality: quality ?? QUALITY });
  }
}

/**
 * Renders a frame that is native and little endian. INVALID for a region outside of the image, NOT_SUPPORTED for what cannot be shown rightly, CORRUPT
 * for a frame that is not what it says, LIMIT for one too large. Encoding runs in libuv's threads.
 */
export async function renderFrame(frame: Frame, look: Look, request: RenderRequest): Promise<Rendered> {
  const picture = pictureOf(frame, request.window === null ? look : { ...look, voi: request.window });
  const shape = geometryOf(picture.width, picture.height, look.aspect, request.viewport);
  const { width, height, channels } = picture;
  let image = sharp(picture.data, { raw: { width, height, channels }, limitInputPixels: false });
  if (shape.width !== width || shape.height !== height) {
    image = image.extract({ left: shape.left, top: shape.top, width: shape.width, height: shape.height });
  }
  if (shape.flop) image = image.flop();
  if (shape.flip) image = image.flip();
  if (shape.outWidth !== shape.width || shape.outHeight !== shape.height) {
    image = image.resize(shape.outWidth, shape.outHeight, { fit: 'fill' });
  }
  const overlay = annotationSvg(shape.outWidth, shape.outHeight, request.annotation);
  if (overlay !== null) image = image.composite([{ input: Buffer.from(overlay), left: 0, top: 0 }]).removeAlpha();
  image = image.toColourspace(channels === 1 ? 'b-w' : 'srgb');
  try {
    // A copy of our own: memory that libvips lent cannot be moved to another thread.
    const bytes = Uint8Array.from(await finished(image, request));
    return { mediaType: request.mediaType, bytes };
  } catch (error) {
    if (error instanceof ArchiveError) throw error;
    throw new ArchiveError('INTERNAL', 'the image could not be encoded', { cause: error });
  }
}

/** The image file, its colours described by a profile or turned into another space where that was asked. */
async function finished(image: Sharp, { mediaType, quality, profile }: RenderRequest): Promise<Uint8Array> {
  if (profile === null) return await encoded(image, mediaType, quality).toBuffer();
  if (profile.to === 'same') {
    if (mediaType !== 'image/jpeg' && mediaType !== 'image/png') {
      throw new ArchiveError('INVALID', `iccprofile: ${mediaType} is given without a profile`);
    }
    return withProfile(await encoded(image, mediaType, quality).toBuffer(), mediaType, profile.bytes);
  }
  // libvips takes the profile from a file: one without loss.
  const described = withProfile(await image.png({ compressionLevel: 0 }).toBuffer(), 'image/png', profile.bytes);
  const turned = sharp(described, { limitInputPixels: false }).withIccProfile(profile.to === 'srgb' ? 'srgb' : 'p3');
  return await encoded(turned, mediaType, quality).toBuffer();
}
