// RLE Lossless, the way in (PS3.5 annex G): byte planes as PackBits segments behind a header of 64 bytes.

const HEADER_BYTES = 64;
const RUN_MAX = 128;

/**
 * One frame as one fragment.
 * @param pixels little-endian samples of `sampleBytes` bytes, `samples` of them interleaved in a pixel.
 */
export function encodeRleFrame(
  pixels: Uint8Array,
  shape: { readonly columns: number; readonly samples: number; readonly sampleBytes: number },
): Buffer {
  const { columns, samples, sampleBytes } = shape;
  const stride = samples * sampleBytes;
  const segments: Buffer[] = [];
  for (let sample = 0; sample < samples; sample += 1) {
    // G.2: a segment is one byte of each sample, the most significant first.
    for (let byte = sampleBytes - 1; byte >= 0; byte -= 1) {
      segments.push(encodeSegment(plane(pixels, sample * sampleBytes + byte, stride), columns));
    }
  }
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32LE(segments.length, 0);
  let at = HEADER_BYTES;
  for (const [index, segment] of segments.entries()) {
    header.writeUInt32LE(at, 4 + index * 4);
    at += segment.length;
  }
  return Buffer.concat([header, ...segments]);
}

function plane(pixels: Uint8Array, offset: number, stride: number): Uint8Array {
  const bytes = new Uint8Array(pixels.length / stride);
  for (let at = 0, from = offset; at < bytes.length; at += 1, from += stride) bytes[at] = pixels[from] ?? 0;
  return bytes;
}

/** PackBits; G.3.1: a run does not cross from one row to the next, and a segment has an even length. */
function encodeSegment(bytes: Uint8Array, columns: number): Buffer {
  const out = Buffer.alloc(
    bytes.length + 2 * Math.ceil(bytes.length / RUN_MAX) + 2 * Math.ceil(bytes.length / columns) + 2,
  );
  let to = 0;
  for (let row = 0; row < bytes.length; row += columns) {
    const end = Math.min(row + columns, bytes.length);
    let at = row;
    while (at < end) {
      const run = runLength(bytes, at, end);
      if (run >= 3) {
        out[to] = 257 - run;
        out[to + 1] = bytes[at] ?? 0;
        to += 2;
        at += run;
      } else {
        const count = literalLength(bytes, at, end);
        out[to] = count - 1;
        out.set(bytes.subarray(at, at + count), to + 1);
        to += 1 + count;
        at += count;
      }
    }
  }
  return out.subarray(0, to + (to % 2));
}

function runLength(bytes: Uint8Array, at: number, end: number): number {
  const limit = Math.min(end, at + RUN_MAX);
  let next = at + 1;
  while (next < limit && bytes[next] === bytes[at]) next += 1;
  return next - at;
}

function literalLength(bytes: Uint8Array, at: number, end: number): number {
  const limit = Math.min(end, at + RUN_MAX);
  let next = at + 1;
  while (next < limit && runLength(bytes, next, Math.min(end, next + 3)) < 3) next += 1;
  return next - at;
}
