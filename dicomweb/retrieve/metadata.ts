// WADO-RS metadata (PS3.18 10.4.1.1.2) of a study, series or instance: one JSON array, or one XML document an instance, joined from
// the parts that the index keeps compressed. No pixel object is ever opened.
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import { nativeXml } from '../../dicom/xml/xml-writer.js';
import type { InstanceRecord, Scope } from '../../tiering/archive/archive.js';
import { ArchiveError } from '../../tiering/core/errors.js';
import { drawBoundary, multipartStream, multipartType, type OutgoingPart } from '../answer/multipart-writer.js';
import { openSegment } from '../answer/segments.js';
import { sendEmpty, sendStream } from '../answer/send.js';
import { noneMatchNames } from '../answer/single-part.js';
import type { Exchange } from '../exchange.js';
import { scopeLocation } from '../instances/locations.js';
import { DICOM_XML, negotiateDataSets } from '../negotiation/data-set-type.js';
import { MOUNT } from '../router.js';
import { includesOf } from '../search/query-parameters.js';
import { editMetadata } from './metadata-editor.js';
import { arrayText, gathered, objectsOf, rewriteBulkRoot } from './metadata-text.js';

/** Available Transfer Syntax UID: viewers tell video by it, since metadata has no group 0002. */
const AVAILABLE_TRANSFER_SYNTAX = '00083002';
/** Without these nobody could tell whose metadata it is. */
const IDENTITY = ['00080016', '00080018', '0020000D', '0020000E'];
/** Part of entity tags: raised when the same instances are described otherwise. */
const EDITION = 2;
/** Syntaxes that differ from the first instance's, remembered by instance. Beyond it the attribute is left out. */
const EXCEPTIONS_MAX = 100_000;

/** The attributes that `includefield` asks for (an extension of ours: PS3.18 has it for searches only); null: all. */
function fieldsOf(exchange: Exchange): ReadonlySet<string> | null {
  if (!exchange.search.includes('includefield')) return null;
  const asked = includesOf(exchange.query.getAll('includefield'), exchange.services.limits);
  return asked === 'all' ? null : new Set([...IDENTITY, ...asked]);
}

interface Survey {
  /** Changes exactly when an instance comes or goes; packing and tiering leave it alone. */
  readonly version: string;
  readonly syntaxOf: (sop: string) => string | null;
}

/** One pass over the rows of the scope. NOT_FOUND when it has none. */
async function survey(exchange: Exchange, scope: Scope): Promise<Survey> {
  const { archive } = exchange.services;
  const hash = createHash('sha256');
  const exceptions = new Map<string, string>();
  let usual: string | undefined;
  let known = true;
  const take = ({ seq, sop, transferSyntax }: InstanceRecord) => {
    hash.update(`${seq},`);
    usual ??= transferSyntax;
    if (transferSyntax !== usual && exceptions.size < EXCEPTIONS_MAX) exceptions.set(sop, transferSyntax);
    else if (transferSyntax !== usual) known = false;
  };
  const { study, series, sop } = scope;
  if (series !== undefined && sop !== undefined) take(await archive.instance({ study, series, sop }));
  else {
    for await (const record of archive.instances(scope)) {
      exchange.signal.throwIfAborted();
      take(record);
    }
  }
  if (usual === undefined)
    throw new ArchiveError('NOT_FOUND', `this archive has no such ${series === undefined ? 'study' : 'series'}`);
  return {
    version: hash.digest('base64url').slice(0, 32),
    syntaxOf: (each) => (known ? (exceptions.get(each) ?? usual ?? null) : null),
  };
}

/** The array as it is answered: with the syntax of each instance, only what was asked for, and links that lead back here. */
function arrayOf(
  exchange: Exchange,
  scope: Scope,
  fields: ReadonlySet<string> | null,
  syntaxOf: Survey['syntaxOf'],
): AsyncIterable<Buffer> {
  const root = exchange.linkRoot;
  const value = (sop: string): string | null => {
    const syntax = syntaxOf(sop);
    return syntax === null ? null : `{"vr":"UI","Value":["${syntax}"]}`;
  };
  const add =
    fields === null || fields.has(AVAILABLE_TRANSFER_SYNTAX) ? { tag: AVAILABLE_TRANSFER_SYNTAX, value } : null;
  const text = editMetadata(arrayText(exchange.services.archive.metadata(scope)), { keep: fields, add });
  return root === MOUNT ? text : rewriteBulkRoot(text, root);
}

/** PS3.18 F.2.1 and 8.7.3.2: in XML each instance is a document and a part of its own. */
async function* xmlParts(array: AsyncIterable<Buffer>, location: string): AsyncGenerator<OutgoingPart, void, void> {
  for await (const json of objectsOf(array)) {
    async function* open(): AsyncGenerator<Uint8Array> {
      for (const piece of nativeXml(json)) yield Buffer.from(piece);
    }
    yield { contentType: DICOM_XML, location, content: [{ length: null, open }] };
  }
}

async function* xmlBytes(
  exchange: Exchange,
  array: AsyncIterable<Buffer>,
  location: string,
  boundary: string,
): AsyncGenerator<Buffer, void, void> {
  for await (const segment of multipartStream(xmlParts(array, location), boundary)) {
    if (segment instanceof Uint8Array) yield Buffer.from(segment);
    else for await (const piece of openSegment(segment, exchange.signal)) yield piece as Buffer;
  }
}

async function sendPacked(
  exchange: Exchange,
  headers: Readonly<Record<string, string>>,
  text: AsyncIterable<Buffer>,
): Promise<void> {
  const encodings = String(exchange.req.headers['accept-encoding'] ?? '');
  if (!/\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))/i.test(encodings)) {
    await sendStream(exchange, 200, headers, text);
    return;
  }
  const gzip = createGzip({ level: 1, chunkSize: 64 * 1024 });
  const source = Readable.from(text, { objectMode: false });
  source.on('error', (error) => gzip.destroy(error));
  exchange.signal.addEventListener('abort', () => source.destroy(), { once: true });
  await sendStream(exchange, 200, { ...headers, 'Content-Encoding': 'gzip' }, source.pipe(gzip));
}

/** GET of metadata. 404 when nothing is live, 400 for a bad includefield, 304 by entity tag, gzip when accepted. */
export async function retrieveMetadata(exchange: Exchange, scope: Scope): Promise<void> {
  const type = negotiateDataSets(exchange.accept, 'metadata is');
  const fields = fieldsOf(exchange);
  const { version, syntaxOf } = await survey(exchange, scope);
  const variant = createHash('sha256').update([EDITION, type, exchange.linkRoot, ...(fields ?? ['all'])].join(' '));
  const etag = `W/"${version}.${variant.digest('base64url').slice(0, 10)}"`;
  const unchanging = { ETag: etag, Vary: 'Accept, Accept-Encoding' };
  if (noneMatchNames(exchange.req.headers['if-none-match'], etag)) {
    sendEmpty(exchange, 304, unchanging);
    return;
  }
  const boundary = type === DICOM_XML ? drawBoundary(exchange.services.random) : null;
  const headers = { ...unchanging, 'Content-Type': boundary === null ? type : multipartType(type, boundary) };
  if (exchange.isHead) {
    sendEmpty(exchange, 200, headers);
    return;
  }
  const array = arrayOf(exchange, scope, fields, syntaxOf);
  const location = `${scopeLocation(exchange.linkRoot, scope)}/metadata`;
  const text = boundary === null ? array : xmlBytes(exchange, array, location, boundary);
  await sendPacked(exchange, headers, gathered(text));
}
