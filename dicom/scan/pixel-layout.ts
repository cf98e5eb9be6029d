// From the pixel data that a scan found to the frames that can be served, with a warning where the two disagree.

import type { EncapsulatedPixels, NativePixels } from '../instance.js';
import { FRAGMENTS_MAX } from '../limits.js';
import { groupFrames } from './fragments.js';
import { nativeLayout } from './native-frames.js';
import type { ScanState } from './scan-state.js';

/** The frames of a scanned data set; null when it has none that could be told apart. Warnings go to the state. */
export function pixelsOf(state: ScanState): NativePixels | EncapsulatedPixels | null {
  const { pixels, top, warnings } = state;
  if (pixels === null) {
    if (top.rows !== null && top.columns !== null && isImage(state)) {
      warnings.add('PIXEL_LENGTH', 'rows and columns without pixel data');
    }
    return null;
  }
  if (top.frames === null) warnings.add('PIXEL_LENGTH', 'a Number of Frames that is not a positive integer');
  if (pixels.kind === 'encapsulated') {
    const { frames, complaint } = groupFrames(state.window, pixels.fragments, {
      frames: top.frames,
      video: state.syntax.video,
      extendedOffsets: top.extendedOffsets,
    });
    if (complaint !== null) warnings.add('PIXEL_LENGTH', complaint);
    return frames.length === 0 ? null : { kind: 'encapsulated', frames };
  }
  const { start, end } = pixels.range;
  const layout = nativeLayout(start, end, top, pixels.sampleBits);
  if (layout.complaint !== null) warnings.add('PIXEL_LENGTH', layout.complaint);
  if (layout.pixels !== null && layout.pixels.frames > FRAGMENTS_MAX) {
    throw state.error('LIMIT', `more than ${FRAGMENTS_MAX} frames`, start);
  }
  return layout.pixels;
}

/** RT Dose grids and images say how many bits a pixel has; presentation states that mention rows do not. */
function isImage(state: ScanState): boolean {
  return state.top.bitsAllocated !== null;
}
