// The Range header (RFC 9110 14.2) as far as it is served: one range of bytes.
import { HttpProblem } from '../problem.js';

/**
 * The range that is asked for of a body of `length` bytes, or null for all of it.
 * @throws 416 for several ranges, and for one that is malformed or selects nothing.
 */
export function parseByteRange(
  header: string | undefined,
  length: number,
): { readonly start: number; readonly end: number } | null {
  if (header === undefined || !/^\s*bytes\s*=/i.test(header)) return null;
  const refuse = (what: string): never => {
    throw new HttpProblem(416, what, { code: 'INVALID', headers: { 'Content-Range': `bytes */${length}` } });
  };
  if (header.includes(',')) return refuse('only one range at a time is served');
  const [, first = '', last = ''] = /^\s*bytes\s*=\s*(\d{0,15})-(\d{0,15})\s*$/i.exec(header) ?? [];
  if (first === '' && last === '') return refuse('the Range header is not bytes=FIRST-LAST');
  if (first === '') {
    const suffix = Number(last);
    if (suffix === 0 || length === 0) return refuse('the range selects nothing');
    return { start: Math.max(0, length - suffix), end: length };
  }
  const start = Number(first);
  if (start >= length) return refuse(`the range begins behind the last of ${length} bytes`);
  const end = last === '' ? length : Math.min(length, Number(last) + 1);
  if (end <= start) return refuse('the range ends before it begins');
  return { start, end };
}
