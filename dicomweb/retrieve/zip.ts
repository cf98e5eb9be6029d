// A study, series or instance as one zip file (PS3.18 10.4.4): entries stored and not compressed, since pixels that can be are
// compressed already. Streamed: the instance that is being sent, and a few hundred bytes for each that was.
import { Readable } from 'node:stream';
import { ZipFile } from 'yazl';
import type { Scope } from '../../tiering/archive/archive.js';
import { ArchiveError } from '../../tiering/core/errors.js';
import { openSegment } from '../answer/segments.js';
import { sendEmpty, sendStream } from '../answer/send.js';
import type { Exchange } from '../exchange.js';
import { instanceContent } from '../instances/instance-content.js';
import type { Planned } from '../instances/instance-plan.js';
import { ZIP } from '../negotiation/media-types.js';

/** An entry whose length is not known before may pass 4 GiB when its pixels do. */
const ZIP64_FROM_BYTES = 2 ** 32 - 1;

class ZipStream {
  readonly #zip = new ZipFile();
  readonly #exchange: Exchange;
  #failure: unknown = null;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
    this.#zip.on('error', (error) => this.#fail(error));
  }

  /** Queues an instance; it is read when its turn comes. Resolves to whether it was read to its end: the zip has failed otherwise. */
  add(planned: Planned): Promise<boolean> {
    const { record } = planned;
    const content = instanceContent(this.#exchange.services, planned);
    return new Promise((resolve) => {
      const size = content.length ?? undefined;
      const large = (size ?? record.end - record.start) >= ZIP64_FROM_BYTES;
      this.#zip.addReadStreamLazy(
        `${record.series}/${record.sop}.dcm`,
        {
          mtime: new Date(record.arrivedMs),
          compress: false,
          ...(size === undefined ? {} : { size }),
          forceZip64Format: large,
        },
        (opened) => {
          const stream = Readable.from(openSegment(content, this.#exchange.signal), { objectMode: false });
          stream.once('error', (error) => this.#fail(error));
          stream.once('close', () => resolve(this.#failure === null));
          opened(null, stream);
        },
      );
    });
  }

  /** No more is added. The length of the whole; null when that of an entry is not known. */
  end(): Promise<number | null> {
    return new Promise((resolve) => this.#zip.end((bytes) => resolve(bytes < 0 ? null : bytes)));
  }

  async *bytes(): AsyncGenerator<Uint8Array, void, void> {
    try {
      yield* this.#zip.outputStream as AsyncIterable<Uint8Array>;
    } catch (error) {
      throw this.#failure ?? error;
    }
  }

  fail(error: unknown): void {
    this.#fail(error);
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
    this.#zip.outputStream.destroy(error instanceof Error ? error : new ArchiveError('INTERNAL', String(error)));
  }
}

/** Instances that are too many to hold are queued one after the other. */
async function fill(zip: ZipStream, planned: AsyncIterable<Planned>): Promise<void> {
  try {
    for await (const each of planned) if (!(await zip.add(each))) return;
    await zip.end();
  } catch (error) {
    zip.fail(error);
  }
}

function fileName({ study, series, sop }: Scope): string {
  return `${sop ?? series ?? study}.zip`;
}

/** Sends what is planned as `<series>/<instance>.dcm`. `held`: all of it, where it can be held, so that the length is announced. */
export async function sendZip(
  exchange: Exchange,
  scope: Scope,
  status: number,
  headers: Record<string, string>,
  planned: AsyncIterable<Planned>,
  held: readonly Planned[] | null,
): Promise<void> {
  const all = {
    ...headers,
    'Content-Type': ZIP,
    'Content-Disposition': `attachment; filename="${fileName(scope)}"`,
  };
  if (exchange.isHead) {
    sendEmpty(exchange, status, all);
    return;
  }
  const zip = new ZipStream(exchange);
  let length: number | null = null;
  if (held === null) void fill(zip, planned);
  else {
    for (const each of held) void zip.add(each);
    length = await zip.end();
  }
  await sendStream(exchange, status, all, zip.bytes(), length);
}
