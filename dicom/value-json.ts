// One value as its JSON members: `,"Value":[…]`, `,"InlineBinary":"…"`, `,"BulkDataURI":"…"`, or nothing for an
// empty one (PS3.18 F.2.5). Decides what is inline and what is bulk.
import type { FastBuffer } from './byte-window.js';
import { BULK_DEPTH_MAX, INLINE_BINARY_BYTES_MAX, INLINE_TEXT_BYTES_MAX, INLINE_VALUE_BYTES_MAX } from './limits.js';
import { numbersJson } from './number-json.js';
import type { Context } from './scan-context.js';
import type { ScanState } from './scan-state.js';
import { textJson } from './text-json.js';
import { Kind, type Vr } from './vr.js';

/** Whether a value goes by reference: PS3.18 F.2.6 allows it for its VR, and it is long. Pixel Data always does. */
export function isBulk(vr: Vr, length: number, depth: number): boolean {
  if (!vr.bulk || depth > BULK_DEPTH_MAX) return false;
  return length > (vr.kind === Kind.BINARY ? INLINE_BINARY_BYTES_MAX : INLINE_VALUE_BYTES_MAX);
}

/** The JSON members of a value that is written inline. `start` and `end` are indexes into the window's bytes. */
export function inlineJson(
  state: ScanState,
  context: Context,
  tag: number,
  vr: Vr,
  start: number,
  end: number,
  bigEndian: boolean,
): string {
  const bytes = state.window.bytes;
  switch (vr.kind) {
    case Kind.NUMBER:
    case Kind.TAG: {
      const size = vr.kind === Kind.TAG ? 4 : vr.unit;
      if ((end - start) % size !== 0) state.warnings.add('VALUE', `a length that is no multiple of ${size}`, tag);
      const values = numbersJson(vr, bytes, start, end, bigEndian);
      return values === '' ? '' : `,"Value":[${values}]`;
    }
    case Kind.BINARY:
      return `,"InlineBinary":"${bigEndian ? swappedBase64(bytes, start, end, vr.unit) : bytes.base64Slice(start, end)}"`;
    default: {
      if (end - start > INLINE_TEXT_BYTES_MAX) {
        throw state.error('LIMIT', `a text of more than ${INLINE_TEXT_BYTES_MAX} bytes`, state.at, tag);
      }
      const values = textJson(vr, state.window, start, end, context.charset, (read) =>
        state.warnings.add('CHARSET', `text that is not in its Specific Character Set was read as ${read}`, tag),
      );
      return values === '' ? '' : `,"Value":[${values}]`;
    }
  }
}

/** PS3.18 F.2.7: InlineBinary is little endian whatever the transfer syntax was. */
function swappedBase64(bytes: FastBuffer, start: number, end: number, unit: number): string {
  if (unit === 1 || (end - start) % unit !== 0) return bytes.base64Slice(start, end);
  const swapped = Buffer.from(bytes.subarray(start, end));
  if (unit === 2) swapped.swap16();
  else if (unit === 4) swapped.swap32();
  else swapped.swap64();
  return swapped.toString('base64');
}
