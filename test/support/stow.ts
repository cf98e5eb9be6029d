// A STOW-RS client of a few lines, independent of the product's own multipart code.
import { randomUUID } from 'node:crypto';

const CRLF = '\r\n';

/** The body and Content-Type of a multipart/related store of these Part 10 files. */
export function stowBody(files: readonly Uint8Array[]): { body: Buffer; contentType: string } {
  const boundary = `test-${randomUUID()}`;
  const parts = files.flatMap((bytes) => [
    Buffer.from(`--${boundary}${CRLF}Content-Type: application/dicom${CRLF}${CRLF}`),
    bytes,
    Buffer.from(CRLF),
  ]);
  const body = Buffer.concat([...parts, Buffer.from(`--${boundary}--${CRLF}`)]);
  return { body, contentType: `multipart/related; type="application/dicom"; boundary=${boundary}` };
}

export interface StowAnswer {
  readonly status: number;
  /** SOP Instance UIDs in the Referenced SOP Sequence. */
  readonly stored: readonly string[];
  /** SOP Instance UID to Failure Reason. */
  readonly failed: ReadonlyMap<string, number>;
  /** Failure reasons of parts whose UID could not be told. */
  readonly others: readonly number[];
  readonly text: string;
}

type Sequence = Record<string, { Value?: unknown[] }>[];

/** Stores the files in one request. */
export async function stow(url: string, files: readonly Uint8Array[], signal?: AbortSignal): Promise<StowAnswer> {
  const { body, contentType } = stowBody(files);
  const response = await fetch(`${url}/dicomweb/studies`, {
    method: 'POST',
    headers: { 'content-type': contentType, accept: 'application/dicom+json' },
    body: new Uint8Array(body),
    signal: signal ?? null,
  });
  const text = await response.text();
  return { status: response.status, text, ...parseAnswer(text) };
}

function parseAnswer(text: string): Pick<StowAnswer, 'stored' | 'failed' | 'others'> {
  let answer: Record<string, { Value?: Sequence }>;
  try {
    answer = JSON.parse(text) as typeof answer;
  } catch {
    return { stored: [], failed: new Map(), others: [] };
  }
  const items = (tag: string) => answer[tag]?.Value ?? [];
  const sop = (item: Sequence[number]) => String(item['00081155']?.Value?.[0]);
  const reason = (item: Sequence[number]) => Number(item['00081197']?.Value?.[0]);
  return {
    stored: items('00081199').map(sop),
    failed: new Map(items('00081198').map((item) => [sop(item), reason(item)])),
    others: items('0008119A').map(reason),
  };
}

/** One instance as stored, by single-part WADO-RS. */
export async function retrieve(
  url: string,
  { study, series, sop }: { readonly study: string; readonly series: string; readonly sop: string },
  signal?: AbortSignal,
): Promise<Buffer> {
  const response = await fetch(`${url}/dicomweb/studies/${study}/series/${series}/instances/${sop}`, {
    headers: { accept: 'application/dicom; transfer-syntax=*' },
    signal: signal ?? null,
  });
  if (response.status !== 200) throw new Error(`retrieve answered ${response.status}: ${await response.text()}`);
  return Buffer.from(await response.arrayBuffer());
}
