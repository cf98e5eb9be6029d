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
