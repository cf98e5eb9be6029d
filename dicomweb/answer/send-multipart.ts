// Sends a few parts that are all known as one multipart/related answer, with its length.
import type { Exchange } from '../exchange.js';
import { drawBoundary, multipartSegments, multipartType, type OutgoingPart } from './multipart-writer.js';
import { lengthIfKnown } from './segments.js';
import { sendAnswer, sendEmpty } from './send.js';
import { noneMatchNames } from './single-part.js';

/**
 * Under the rules of `sendAnswer`. `type` is the media type that every part has. `etag` is a weak one (the boundary differs from
 * answer to answer); a client that names it gets 304, without a Content-Type: its own copy has another boundary.
 */
export async function sendMultipart(
  exchange: Exchange,
  type: string,
  parts: readonly OutgoingPart[],
  etag: string,
): Promise<void> {
  const headers = { ETag: etag, Vary: 'Accept' };
  if (noneMatchNames(exchange.req.headers['if-none-match'], etag)) {
    sendEmpty(exchange, 304, headers);
    return;
  }
  const boundary = drawBoundary(exchange.services.random);
  const segments = multipartSegments(parts, boundary);
  await sendAnswer(exchange, {
    status: 200,
    headers: { ...headers, 'Content-Type': multipartType(type, boundary) },
    length: lengthIfKnown(segments),
    segments,
  });
}
