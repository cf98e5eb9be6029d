// Requests that store metadata and bulk data, made without any of the product's code, and a stored instance turned into one.
import { BOUNDARY, type DicomwebRig, type Reply, readMultipart } from './dicomweb-rig.js';

export interface SentPart {
  readonly type?: string;
  readonly location?: string;
  readonly headers?: readonly string[];
  readonly body: string | Uint8Array;
}

export const METADATA_TYPE = (type: string) => `multipart/related; type="${type}"; boundary=${BOUNDARY}`;

export function partsBody(parts: readonly SentPart[]): Buffer {
  const pieces = parts.flatMap(({ type, location, headers = [], body }) => [
    Buffer.from(
      [
        `--${BOUNDARY}`,
        ...(type === undefined ? [] : [`Content-Type: ${type}`]),
        ...(location === undefined ? [] : [`Content-Location: ${location}`]),
        ...headers,
        '',
        '',
      ].join('\r\n'),
    ),
    Buffer.from(body),
    Buffer.from('\r\n'),
  ]);
  return Buffer.concat([...pieces, Buffer.from(`--${BOUNDARY}--\r\n`)]);
}

/** Stores the parts; the first names the type of the metadata. */
export function stowParts(
  rig: DicomwebRig,
  parts: readonly SentPart[],
  path = '/dicomweb/studies',
  accept = 'application/dicom+json',
): Promise<Reply> {
  const type = parts[0]?.type?.split(';')[0] ?? 'application/dicom+json';
  const headers = { 'Content-Type': METADATA_TYPE(type), Accept: accept };
  return rig.call(path, { method: 'POST', headers, body: partsBody(parts) });
}

/** Every BulkDataURI of DICOM JSON text, in order. */
export function bulkUrisOf(json: string): readonly string[] {
  return [...json.matchAll(/"BulkDataURI":"([^"]*)"/g)].map((match) => String(match[1]));
}

/** The parts of one bulk value as the server sends them, under the name that the metadata has for it. */
export async function bulkParts(rig: DicomwebRig, uri: string): Promise<readonly SentPart[]> {
  const headers = { Accept: 'multipart/related; type="*/*"; transfer-syntax=*' };
  const reply = await rig.call(uri, { headers });
  if (reply.status !== 200) throw new Error(`${uri} answered ${reply.status}: ${reply.body.toString()}`);
  return readMultipart(reply).map((part) => ({
    type: part.headers.get('content-type') ?? '',
    location: uri,
    body: part.body,
  }));
}

export type JsonDataSet = Record<string, unknown>;

/** A small CT instance as DICOM JSON: 10 by 10 pixels of 16 bits, whose bulk data is `bulk/{number}` unless it is told otherwise. */
export function ctJson(number: number, more: JsonDataSet = {}, study = '1.2.3'): JsonDataSet {
  const value = (vr: string, ...Value: unknown[]) => ({ vr, Value });
  const all: JsonDataSet = {
    '00080005': value('CS', 'ISO_IR 192'),
    '00080016': value('UI', '1.2.840.10008.5.1.4.1.1.2'),
    '00080018': value('UI', `1.2.3.1.${number}`),
    '00080060': value('CS', 'CT'),
    '00100010': value('PN', { Alphabetic: 'Doe^Jane', Ideographic: '多^珍' }),
    '00100020': value('LO', 'PID1'),
    '0020000D': value('UI', study),
    '0020000E': value('UI', '1.2.3.1'),
    '00200013': value('IS', number),
    '00280002': value('US', 1),
    '00280004': value('CS', 'MONOCHROME2'),
    '00280010': value('US', 10),
    '00280011': value('US', 10),
    '00280100': value('US', 16),
    '00280101': value('US', 16),
    '00280102': value('US', 15),
    '00280103': value('US', 0),
    '7FE00010': { vr: 'OW', BulkDataURI: `bulk/${number}` },
    ...more,
  };
  return Object.fromEntries(Object.entries(all).filter(([, each]) => each !== undefined));
}

/** The same without an image. */
export function noteJson(number: number, more: JsonDataSet = {}): JsonDataSet {
  const image = [
    '00280002',
    '00280004',
    '00280010',
    '00280011',
    '00280100',
    '00280101',
    '00280102',
    '00280103',
    '7FE00010',
  ];
  return ctJson(number, { ...Object.fromEntries(image.map((tag) => [tag, undefined])), ...more });
}

export const metadataPart = (...instances: readonly unknown[]): SentPart => ({
  type: 'application/dicom+json',
  body: JSON.stringify(instances),
});

export const bulkPart = (location: string, body: Uint8Array, type = 'application/octet-stream'): SentPart => ({
  type,
  location,
  body,
});
