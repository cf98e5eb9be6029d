// The head of an HTTP/1.1 answer (RFC 9112 4 and 5), read strictly: what is not clear is no answer.
import { ArchiveError } from '../../core/errors.js';

export interface ResponseHead {
  readonly status: number;
  /** By lower-case name; fields that came several times are joined by `, ` (RFC 9110 5.3). */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** Of the body; null where the head does not say. */
  readonly length: number | null;
  readonly keepAlive: boolean;
  /** Length of the head itself, interim answers before it included. */
  readonly bytes: number;
}

const END = '\r\n\r\n';
const STATUS = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: .*)?$/;
const FIELD = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/;

/** The head at the beginning of `bytes`; null while it has not come whole. CORRUPT when it is none. */
export function headOf(bytes: Buffer): ResponseHead | null {
  for (let from = 0; ; ) {
    const end = bytes.indexOf(END, from, 'latin1');
    if (end < 0) return null;
    const head = parse(bytes.toString('latin1', from, end), end + END.length);
    // 100 Continue and its like come before the answer.
    if (head.status >= 200) return head;
    from = end + END.length;
  }
}

function parse(text: string, bytes: number): ResponseHead {
  const [first = '', ...lines] = text.split('\r\n');
  const [, minor, status] = STATUS.exec(first) ?? [];
  if (status === undefined) throw new ArchiveError('CORRUPT', 'what answers does not speak HTTP/1.1');
  const headers = Object.create(null) as Record<string, string | undefined>;
  for (const line of lines) {
    const [, name, value = ''] = FIELD.exec(line) ?? [];
    if (name === undefined) throw new ArchiveError('CORRUPT', 'the head of the answer has a line that is no field');
    const known = headers[name.toLowerCase()];
    headers[name.toLowerCase()] = known === undefined ? value : `${known}, ${value}`;
  }
  const stated = headers['content-length'] ?? '';
  const chunked = headers['transfer-encoding'] !== undefined;
  return {
    status: Number(status),
    headers,
    length: !chunked && /^\d{1,15}$/.test(stated) ? Number(stated) : null,
    keepAlive: minor === '1' && !/\bclose\b/i.test(headers['connection'] ?? ''),
    bytes,
  };
}
