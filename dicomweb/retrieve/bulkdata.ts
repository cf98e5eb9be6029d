// WADO-RS of one bulk value (PS3.18 10.4.1.1.5): what the metadata names by BulkDataURI, nested ones by the path `tag/item/tag`.
// One range of bytes is served, so that video can be sought in.
import { ArchiveError } from '../../tiering/core/errors.js';
import { sendMultipart } from '../answer/send-multipart.js';
import { sendSinglePart } from '../answer/single-part.js';
import type { Exchange } from '../exchange.js';
import { openInstance } from '../instances/instance-parts.js';
import { instanceLocation } from '../instances/locations.js';
import { giveValue } from './bulk-values.js';
import { atHand } from './frames.js';

const PATH = /^[0-9A-F]{8}(\/\d{1,7}\/[0-9A-F]{8}){0,64}$/;

/** GET of one bulk value. 400 for a path that is none, 404 when the instance has no such value, 406 by negotiation. */
export async function retrieveBulkData(exchange: Exchange): Promise<void> {
  const path = exchange.target.rest.toUpperCase();
  if (!PATH.test(path)) throw new ArchiveError('INVALID', 'a bulk data path is a tag, or tag/item/tag, in hexadecimal');
  const instance = await openInstance(exchange);
  const given = await giveValue(exchange, instance, path, exchange.accept);
  const { contentType } = given;
  const location = `${instanceLocation(exchange.linkRoot, instance.record)}/bulkdata/${path}`;
  const version = `${instance.record.sha256}/b${path}`;
  if (given.wrap === 'multipart') {
    const parts = given.parts.map((content) => ({ contentType, location, content }));
    await sendMultipart(exchange, given.mediaType, parts, `W/"${version}/${contentType}"`);
    return;
  }
  const segments = given.parts.flat();
  await sendSinglePart(exchange, {
    contentType,
    location,
    etag: given.made ? `W/"${version}/${contentType}"` : `"${version}"`,
    // One frame has its length soon; many, decoded into one value, are sent as they come.
    segments: segments.length === 1 ? () => atHand(exchange, segments) : segments,
  });
}
