// Sends a few parts that are all known as one multipart/related answer, with its length.
import type { Exchange } from './exchange.js';
import { drawBoundary, multipartSegments, multipartType, type OutgoingPart } from './multipart-writer.js';
import { totalLength } from './segments.js';
import { sendAnswer } from './send.js';

/** Under the rules of `sendAnswer`. `type` is the media type that every part has. */
export async function sendMultipart(exchange: Exchange, type: string, parts: readonly OutgoingPart[]): Promise<void> {
  const boundary = drawBoundary(exchange.services.random);
  const segments = multipartSegments(parts, boundary);
  await sendAnswer(exchange, {
    status: 200,
    headers: { 'Content-Type': multipartType(type, boundary) },
    length: totalLength(segments),
    segments,
  });
}
