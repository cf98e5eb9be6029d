// Rendering without threads, for suites that are about the surface: native frames are rendered here, everything else is what no
// codec can decode.

import { animateImages } from '../../dicom/render/animate.js';
import { renderFrame } from '../../dicom/render/render.js';
import { transferSyntaxOf } from '../../dicom/transfer-syntax.js';
import type { PixelWorkers } from '../../dicomweb/pixels.js';
import { ArchiveError } from '../../tiering/core/errors.js';

export class DirectPixels implements PixelWorkers {
  /** Frames that were rendered, so that a suite sees what came from a cache. */
  rendered = 0;

  transcode(): Promise<never> {
    return Promise.reject(new ArchiveError('NOT_SUPPORTED', 'nothing is transcoded here'));
  }

  async render(...[frame, look, request]: Parameters<PixelWorkers['render']>) {
    if (transferSyntaxOf(frame.syntax)?.encapsulated === true) {
      throw new ArchiveError('NOT_SUPPORTED', 'no codec for this transfer syntax');
    }
    this.rendered += 1;
    return await renderFrame(frame, look, request);
  }

  animate(images: readonly Uint8Array[], delayMs: number) {
    return animateImages(images, delayMs);
  }
}
