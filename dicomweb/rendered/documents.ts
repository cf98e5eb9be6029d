// What instances without frames are rendered as (PS3.18 8.7.4): encapsulated documents and video as they are stored, with byte ranges
// and never whole in memory; structured reports as a page.
import type { DicomJson } from '../../dicom/json/json-object.js';
import { numberOf } from '../../dicom/json/json-object.js';
import { reportHtml, reportOf, reportText } from '../../dicom/render/report.js';
import type { TransferSyntax } from '../../dicom/transfer-syntax.js';
import type { InstanceRecord } from '../../tiering/archive/archive.js';
import type { LazySegment } from '../answer/segments.js';
import { sendMultipart } from '../answer/send-multipart.js';
import { sendSinglePart } from '../answer/single-part.js';
import type { Exchange } from '../exchange.js';
import { partSegment } from '../instances/instance-parts.js';
import { instanceLocation } from '../instances/locations.js';
import type { OpenInstance } from '../instances/open-instance.js';
import type { MediaRange } from '../negotiation/accept.js';
import { negotiateRendered } from './rendered-media.js';

const ENCAPSULATED_DOCUMENT = '00420011';

/** By SOP class: the MIME type in the file is whatever its sender wrote. */
const DOCUMENT_TYPES: ReadonlyMap<string, string> = new Map([
  ['1.2.840.10008.5.1.4.1.1.104.1', 'application/pdf'],
  ['1.2.840.10008.5.1.4.1.1.104.2', 'text/xml'],
  ['1.2.840.10008.5.1.4.1.1.104.3', 'model/stl'],
  ['1.2.840.10008.5.1.4.1.1.104.4', 'model/obj'],
  ['1.2.840.10008.5.1.4.1.1.104.5', 'model/mtl'],
]);

export function documentType({ sopClass }: Pick<InstanceRecord, 'sopClass'>): string | undefined {
  return DOCUMENT_TYPES.get(sopClass);
}

/** Structured reports, key object selections and the like: all of PS3.4 A.35 that has a content tree. */
export function isReport({ sopClass }: Pick<InstanceRecord, 'sopClass'>): boolean {
  return sopClass.startsWith('1.2.840.10008.5.1.4.1.1.88.');
}

const REPORT_TYPES = ['text/html', 'text/plain'] as const;

/**
 * Over the headers of every answer. Nothing of a page or of XML may run or load; PDF viewers and players of browsers are pages of their
 * own, which a sandbox would stop.
 */
const POLICY: Readonly<Record<string, string>> = {
  'application/pdf': "default-src 'none'; object-src 'self'; style-src 'unsafe-inline'",
  'text/html': "default-src 'none'; style-src 'unsafe-inline'; sandbox",
};
const VIDEO_POLICY = "default-src 'none'; media-src 'self'; style-src 'unsafe-inline'";

interface Whole {
  readonly type: string;
  readonly content: LazySegment | Uint8Array;
  /** What tells it from the instance's other representations. */
  readonly tag: string;
}

async function sendWhole(exchange: Exchange, instance: OpenInstance, whole: Whole, wrap: 'single' | 'multipart') {
  const { record } = instance;
  const location = `${instanceLocation(exchange.linkRoot, record)}/rendered`;
  const etag = `"${record.sha256}/${whole.tag}"`;
  const contentType = whole.type.startsWith('text/') ? `${whole.type};charset=utf-8` : whole.type;
  if (wrap === 'multipart') {
    await sendMultipart(exchange, whole.type, [{ contentType, location, content: [whole.content] }], `W/${etag}`);
    return;
  }
  const policy = whole.type.startsWith('video/') ? VIDEO_POLICY : POLICY[whole.type];
  await sendSinglePart(exchange, {
    contentType,
    location,
    etag,
    segments: [whole.content],
    headers: {
      'Content-Disposition': 'inline',
      ...(policy === undefined ? {} : { 'Content-Security-Policy': policy }),
    },
  });
}

/** The fragments of a stream as one segment: there may be very many, and one object each would cost more than they are. */
function joined(
  exchange: Exchange,
  instance: OpenInstance,
  ranges: readonly { start: number; end: number }[],
): LazySegment {
  let length = 0;
  for (const { start, end } of ranges) length += end - start;
  async function* open(from: number, to: number, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    let at = 0;
    for (const { start, end } of ranges) {
      const first = Math.max(from, at);
      const last = Math.min(to, at + end - start);
      if (first < last) {
        const segment = partSegment(exchange.services.archive, instance, start, end);
        yield* segment.open(first - at, last - at, signal);
      }
      at += end - start;
      if (at >= to) return;
    }
  }
  return { length, open };
}

/** The stored stream, whatever is in its container: MPEG-2, MPEG-4 or HEVC as the transfer syntax says. 406 for any other type. */
export async function sendVideo(
  exchange: Exchange,
  accept: readonly MediaRange[],
  instance: OpenInstance,
  stored: TransferSyntax,
): Promise<void> {
  const choice = negotiateRendered(accept, [stored.mediaType], 'one');
  const { pixels } = instance.layout;
  const ranges = pixels?.kind === 'encapsulated' ? pixels.frames.flat() : [];
  await sendWhole(
    exchange,
    instance,
    { type: choice.type, content: joined(exchange, instance, ranges), tag: 'v' },
    choice.wrap,
  );
}

function documentBytes(exchange: Exchange, instance: OpenInstance, json: DicomJson): LazySegment | Uint8Array {
  // (0042,0015) tells the length without the byte that made it even.
  const declared = numberOf(json, '00420015');
  const value = instance.layout.bulk.find(({ path }) => path === ENCAPSULATED_DOCUMENT);
  if (value !== undefined) {
    const exact = declared !== null && value.end - value.start - declared === 1 ? 1 : 0;
    return partSegment(exchange.services.archive, instance, value.start, value.end - exact);
  }
  const inline = Buffer.from(json[ENCAPSULATED_DOCUMENT]?.InlineBinary ?? '', 'base64');
  return declared !== null && inline.length - declared === 1 ? inline.subarray(0, declared) : inline;
}

/** 406 for any other type than the document is of. */
export async function sendDocument(
  exchange: Exchange,
  accept: readonly MediaRange[],
  instance: OpenInstance,
  json: DicomJson,
  type: string,
): Promise<void> {
  const choice = negotiateRendered(accept, [type], 'one');
  const content = documentBytes(exchange, instance, json);
  await sendWhole(exchange, instance, { type: choice.type, content, tag: 'd' }, choice.wrap);
}

export async function sendReport(
  exchange: Exchange,
  accept: readonly MediaRange[],
  instance: OpenInstance,
  json: DicomJson,
): Promise<void> {
  const choice = negotiateRendered(accept, REPORT_TYPES, 'one');
  const report = reportOf(json);
  const content = Buffer.from(choice.type === 'text/html' ? reportHtml(report) : reportText(report));
  const tag = choice.type === 'text/html' ? 'h1' : 't1';
  await sendWhole(exchange, instance, { type: choice.type, content, tag }, choice.wrap);
}
