// Single-part answers of known content: entity tag, conditional requests, one byte range.
import type { OutgoingHttpHeaders } from 'node:http';
import type { Exchange } from '../exchange.js';
import { parseByteRange } from './byte-ranges.js';
import { lengthIfKnown, type Segment, type SizedSegment, sliceSegments } from './segments.js';
import { sendAnswer, sendEmpty } from './send.js';

export interface SinglePart {
  readonly contentType: string;
  readonly location: string;
  /** Quoted. Strong: the bytes of an instance never change. Weak for what was encoded here: another release may do it otherwise. */
  readonly etag: string;
  /** A function where making them costs something: it is not called for a copy that is still good. */
  readonly segments: readonly Segment[] | (() => Promise<readonly Segment[]>);
  readonly headers?: OutgoingHttpHeaders;
}

/** Whether an If-None-Match header names `etag` (weak comparison, RFC 9110 13.1.2). */
export function noneMatchNames(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  const opaque = etag.replace(/^W\//, '');
  return header.split(',').some((each) => each.trim() === '*' || each.trim().replace(/^W\//, '') === opaque);
}

/**
 * Sends the whole (200), the range asked for (206), or that it has not changed (304). 416 for a range it does not have. Content of
 * unknown length is only sent whole.
 */
export async function sendSinglePart(exchange: Exchange, part: SinglePart): Promise<void> {
  const asked = exchange.req.headers;
  const headers: OutgoingHttpHeaders = {
    ...part.headers,
    'Content-Type': part.contentType,
    'Content-Location': part.location,
    ETag: part.etag,
    Vary: 'Accept',
  };
  if (noneMatchNames(asked['if-none-match'], part.etag)) {
    sendEmpty(exchange, 304, headers);
    return;
  }
  const segments = typeof part.segments === 'function' ? await part.segments() : part.segments;
  const length = lengthIfKnown(segments);
  if (length === null) {
    await sendAnswer(exchange, { status: 200, headers, length, segments });
    return;
  }
  headers['Accept-Ranges'] = 'bytes';
  // RFC 9110 13.1.5: a range of another version is answered with the whole, and a weak tag names no version of bytes.
  const ifRange = asked['if-range'];
  const current = ifRange === undefined || (ifRange === part.etag && !ifRange.startsWith('W/'));
  const range = current ? parseByteRange(asked.range, length) : null;
  if (range === null) {
    await sendAnswer(exchange, { status: 200, headers, length, segments });
    return;
  }
  await sendAnswer(exchange, {
    status: 206,
    headers: { ...headers, 'Content-Range': `bytes ${range.start}-${range.end - 1}/${length}` },
    length: range.end - range.start,
    segments: sliceSegments(segments as readonly SizedSegment[], range.start, range.end),
  });
}
