// A request as it stands in the table, sent over a socket of its own, and the answer with its headers as they were written: their case and order
// are part of what clients rely on.
import { request } from 'node:http';

export interface Ask {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | readonly Uint8Array[];
}

export interface Answer {
  readonly status: number;
  /** By name in lower case; '' where there is none. */
  readonly header: (name: string) => string;
  readonly body: Buffer;
}

export interface AnsweredPart {
  /** The header lines, in order. */
  readonly lines: readonly string[];
  readonly body: Buffer;
}

const LIMIT_MS = 20_000;

/** Sends it; a body of several pieces goes out chunked. */
export function ask(origin: string, { method = 'GET', path, headers = {}, body }: Ask): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const url = new URL(origin);
    const signal = AbortSignal.timeout(LIMIT_MS);
    const options = { host: url.hostname, port: url.port, path, method, headers, agent: false, signal };
    const req = request(options, (res) => {
      const chunks: Buffer[] = [];
      res.on('data', (chunk: Buffer) => chunks.push(chunk));
      res.once('error', reject);
      res.once('end', () =>
        resolve({
          status: res.statusCode ?? 0,
          header: (name) => String(res.headers[name] ?? ''),
          body: Buffer.concat(chunks),
        }),
      );
    });
    req.once('error', reject);
    for (const piece of body === undefined || body instanceof Uint8Array ? [] : body) req.write(piece);
    req.end(body instanceof Uint8Array ? body : undefined);
  });
}

/**
 * The parts of an answer, found as Cornerstone finds them: the boundary is the first line of the body, each part ends with exactly one CRLF before
 * the next. Throws for a preamble, for a boundary that is short, for one that is not the header's, for anything after the end.
 */
export function partsOf({ header, body }: Answer): readonly AnsweredPart[] {
  const line = body.toString('latin1', 0, Math.max(0, body.indexOf('\r\n')));
  if (!/^--[0-9A-Za-z'()+_,./:=?-]{32,70}$/.test(line)) throw new Error(`the body begins with ${line.slice(0, 80)}`);
  if (!header('content-type').endsWith(`boundary=${line.slice(2)}`))
    throw new Error('the header names another boundary');
  const mark = Buffer.from(`\r\n${line}`, 'latin1');
  const whole = Buffer.concat([Buffer.from('\r\n'), body]);
  const parts: AnsweredPart[] = [];
  for (let at = 0; ; ) {
    const next = whole.indexOf(mark, at + mark.length);
    if (next < 0) {
      const end = whole.toString('latin1', at + mark.length);
      if (end !== '--' && end !== '--\r\n') throw new Error('the last boundary does not close');
      return parts;
    }
    const head = whole.indexOf('\r\n\r\n', at + mark.length);
    if (head < 0 || head > at + 1000) throw new Error('no header within 1,000 bytes');
    const lines = whole.toString('latin1', at + mark.length + 2, head).split('\r\n');
    parts.push({ lines, body: whole.subarray(head + 4, next) });
    at = next;
  }
}

export type Row = Readonly<
  Record<string, { readonly vr: string; readonly Value?: readonly unknown[]; readonly BulkDataURI?: string }>
>;

export const rowsOf = ({ status, body }: Pick<Answer, 'status' | 'body'>): readonly Row[] =>
  status === 204 ? [] : (JSON.parse(body.toString()) as readonly Row[]);
