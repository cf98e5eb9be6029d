// One value as its JSON members: `,"Value":[…]`, `,"InlineBinary":"…"`, `,"BulkDataURI":"…"`, or nothing for an
// empty one (PS3.18 F.2.5). Decides what is inline and what is bulk.
import type { FastBuffer } from '../byte-window.js';
import { asciiBytes } from '../json/json-bytes.js';
import { numbersJson } from '../json/number-json.js';
import { writeText } from '../json/text-json.js';
import { BULK_DEPTH_MAX, INLINE_BINARY_BYTES_MAX, INLINE_TEXT_BYTES_MAX, INLINE_VALUE_BYTES_MAX } from '../limits.js';
import { Kind, type Vr } from '../vr.js';
import type { Context } from './scan-context.js';
import type { ScanState } from './scan-state.js';

/** Whether a value goes by reference: PS3.18 F.2.6 allows it for its VR, and it is long. Pixel Data always does. */
export function isBulk(vr: Vr, length: number, depth: number): boolean {
  if (!vr.bulk || depth > BULK_DEPTH_MAX) return false;
  return length > (vr.kind === Kind.BINARY ? INLINE_BINARY_BYTES_MAX : INLINE_VALUE_BYTES_MAX);
}

const VALUE = asciiBytes(',"Value":[');
const INLINE_BINARY = asciiBytes(',"InlineBinary":"');
const CLOSE = 0x5d;
const QUOTE = 0x22;

/** Writes the members of a value that is inline. `start` and `end` are indexes into the window's bytes. */
export function writeInline(
  state: ScanState,
  context: Context,
  tag: number,
  vr: Vr,
  start: number,
  end: number,
  bigEndian: boolean,
): void {
  const { json } = state;
  const bytes = state.window.bytes;
  if (vr.kind === Kind.BINARY) {
    json.put(INLINE_BINARY);
    if (bigEndian && vr.unit > 1) json.ascii(swappedBase64(bytes, start, end, vr.unit));
    else json.base64(bytes, start, end);
    json.byte(QUOTE);
  } else if (vr.kind === Kind.NUMBER || vr.kind === Kind.TAG) {
    const size = vr.kind === Kind.TAG ? 4 : vr.unit;
    if ((end - start) % size !== 0) state.warnings.add('VALUE', `a length that is no multiple of ${size}`, tag);
    if (end - start < size) return;
    json.put(VALUE);
    json.ascii(numbersJson(vr, bytes, start, end, bigEndian));
    json.byte(CLOSE);
  } else {
    if (end - start > INLINE_TEXT_BYTES_MAX) {
      throw state.error('LIMIT', `a text of more than ${INLINE_TEXT_BYTES_MAX} bytes`, state.at, tag);
    }
    state.currentTag = tag;
    writeText(json, vr, state.window, start, end, context.charset, state.onMislabelled);
  }
}

/** PS3.18 F.2.7: InlineBinary is little endian whatever the transfer syntax was. */
function swappedBase64(bytes: FastBuffer, start: number, end: number, unit: number): string {
  if ((end - start) % unit !== 0) return bytes.base64Slice(start, end);
  const swapped = Buffer.from(bytes.subarray(start, end));
  if (unit === 2) swapped.swap16();
  else if (unit === 4) swapped.swap32();
  else swapped.swap64();
  return swapped.toString('base64');
}
