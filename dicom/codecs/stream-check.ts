// Does a stream say of its picture what the data set says? Where not, nothing is decoded: one of them is wrong.
import { corruptFrame } from './codec-error.js';
import type { PixelDescription } from './frame.js';

/** What every image stream says in its header. */
interface StreamHeader {
  readonly rows: number;
  readonly columns: number;
  readonly components: number;
  readonly precision: number;
}

/** CORRUPT when a stream's header contradicts the description of the instance. */
export function assertStream(header: StreamHeader, pixels: PixelDescription): void {
  if (header.rows !== pixels.rows || header.columns !== pixels.columns) {
    throw corruptFrame(
      `its stream is ${header.columns} x ${header.rows}, the instance ${pixels.columns} x ${pixels.rows}`,
    );
  }
  if (header.components !== pixels.samplesPerPixel) {
    throw corruptFrame(`its stream has ${header.components} components, the instance ${pixels.samplesPerPixel}`);
  }
  // One bit a pixel comes as 8 where the format knows nothing smaller.
  if (header.precision > Math.max(8, pixels.bitsAllocated) || header.precision < 1) {
    throw corruptFrame(`its stream has ${header.precision} bits a sample, the instance ${pixels.bitsAllocated}`);
  }
}
