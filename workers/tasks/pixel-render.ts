// Rendering of one frame in a thread: decoded first where it is not native.
import { decodeFrame } from '../../dicom/codecs/transcode.js';
import { renderFrame } from '../../dicom/render/render.js';
import type { Rendered } from '../../dicom/render/types.js';
import type { RenderTask } from './pixel-types.js';

export async function renderTask({ frame, look, request }: RenderTask): Promise<Rendered> {
  return await renderFrame(await decodeFrame(frame), look, request);
}
