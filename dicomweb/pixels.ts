// The boundary to the threads that decode, encode and render: what dicomweb asks of pixels, without knowing the codecs.
import type { Frame } from '../dicom/codecs/frame.js';
import type { Look, Rendered, RenderRequest } from '../dicom/render/types.js';

/**
 * Frames given to a method are moved away from their giver. Every method rejects with ArchiveError: NOT_SUPPORTED for what no codec here
 * can do, CORRUPT for a frame that is not what it says, LIMIT for one too large, UNAVAILABLE when too many wait or the thread was lost.
 */
export interface PixelWorkers {
  /** The frame in another transfer syntax; its own when it is in that already. */
  transcode(frame: Frame, syntax: string, signal?: AbortSignal): Promise<Frame>;
  render(frame: Frame, look: Look, request: RenderRequest, signal?: AbortSignal): Promise<Rendered>;
  /** Images of one size, in order, as one animated GIF. */
  animate(images: readonly Uint8Array[], delayMs: number, signal?: AbortSignal): Promise<Rendered>;
}
