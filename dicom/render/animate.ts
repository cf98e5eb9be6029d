// Frames that were rendered to one animated GIF.
import { ArchiveError } from '../../tiering/core/errors.js';
import { sharp } from './sharp.js';
import type { Rendered } from './types.js';

/** Images of one size, in order, as one GIF that runs for ever. INVALID when they are not of one size. */
export async function animateImages(images: readonly Uint8Array[], delayMs: number): Promise<Rendered> {
  try {
    const joined = sharp([...images], { join: { animated: true }, limitInputPixels: false });
    const bytes = Uint8Array.from(
      await joined.gif({ delay: images.map(() => delayMs), loop: 0, dither: 0 }).toBuffer(),
    );
    return { mediaType: 'image/gif', bytes };
  } catch (error) {
    throw new ArchiveError('INTERNAL', 'the frames could not be joined', { cause: error });
  }
}
