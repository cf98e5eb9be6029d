// What runs in a thread of the pixel pool: decode, encode and render one frame.
import type { Frame } from '../../dicom/codecs/frame.js';
import { transcode } from '../../dicom/codecs/transcode.js';
import type { Rendered } from '../../dicom/render/types.js';
import { releaseBuffer } from '../../tiering/core/buffers.js';
import { alone, failureOf, handedOver } from './handover.js';
import { renderTask } from './pixel-render.js';
import type { RenderTask, TranscodeTask } from './pixel-types.js';

export async function transcodePixels({ frame, syntax }: TranscodeTask): Promise<unknown> {
  return answer(frame, async () => {
    const { bytes, ...result } = await transcode(frame, syntax);
    return { ...result, bytes: alone(bytes) };
  });
}

export async function renderPixels(task: RenderTask): Promise<unknown> {
  return answer(task.frame, async (): Promise<Rendered> => {
    const { mediaType, bytes } = await renderTask(task);
    // Memory that a native library made cannot be moved.
    return { mediaType, bytes: Uint8Array.from(bytes) };
  });
}

async function answer<T extends { readonly bytes: Uint8Array }>(
  frame: Frame,
  work: () => Promise<T>,
): Promise<unknown> {
  try {
    const value = await work();
    if (value.bytes.buffer !== frame.bytes.buffer) releaseBuffer(frame.bytes);
    return handedOver({ ok: true, value }, [value.bytes]);
  } catch (error) {
    return handedOver({ ok: false, failure: failureOf(error) }, []);
  }
}
