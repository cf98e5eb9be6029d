// One request and its answer as the handlers see them, with what the surface was made of. Costs next to nothing to
// make: whatever is not always needed is worked out when it is asked for.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ImageArchive } from '../tiering/archive/archive.js';
import type { Clock, Random } from '../tiering/core/clock.js';
import { ArchiveError } from '../tiering/core/errors.js';
import type { Semaphore } from '../tiering/core/queues.js';
import type { DicomwebLimits } from './limits.js';
import { type MediaRange, parseAccept } from './negotiation/accept.js';
import type { PixelWorkers } from './pixels.js';
import { MOUNT, type Target } from './router.js';

/** What is told of each request. Holds no UID, no value and no query text: a route is named by its resource. */
export interface DicomwebEvent {
  readonly kind: 'request';
  readonly method: string;
  readonly resource: string;
  readonly status: number;
  readonly ms: number;
  /** What went wrong, if anything did; `error` only when its text is not made for people. */
  readonly code?: string;
  readonly error?: unknown;
}

export interface Services {
  readonly archive: ImageArchive;
  /** Null: nothing is decoded or rendered here, everything is given as it is stored. */
  readonly pixels: PixelWorkers | null;
  /** Frames that are being transcoded and sent: their bytes, and how many are at the codecs. */
  readonly pixelBudget: { readonly memory: Semaphore; readonly slots: Semaphore };
  /** Whether DELETE is served. */
  readonly deletes: boolean;
  readonly limits: DicomwebLimits;
  readonly clock: Clock;
  readonly random: Random;
  readonly publicUrl: string | null;
  readonly origins: readonly string[];
}

const HOST = /^[A-Za-z0-9.\-_]{1,253}(:\d{1,5})?$|^\[[0-9a-fA-F:.]{2,45}\](:\d{1,5})?$/;
const PREFIX = /^(\/[A-Za-z0-9._~-]{1,64}){1,8}$/;

function firstOf(header: string | string[] | undefined): string | undefined {
  const text = Array.isArray(header) ? header[0] : header;
  return text?.split(',', 1)[0]?.trim();
}

export class Exchange {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly services: Services;
  readonly target: Target;
  /** Query text without its `?`. */
  readonly search: string;
  #abort: AbortController | undefined;
  #query: URLSearchParams | undefined;

  constructor(req: IncomingMessage, res: ServerResponse, services: Services, target: Target, search: string) {
    this.req = req;
    this.res = res;
    this.services = services;
    this.target = target;
    this.search = search;
  }

  get isHead(): boolean {
    return this.req.method === 'HEAD';
  }

  /** Fires when the client is gone before its answer was. */
  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      const abort = new AbortController();
      this.#abort = abort;
      const gone = () => {
        if (!this.res.writableFinished) abort.abort(new ArchiveError('ABORTED', 'the client closed the connection'));
      };
      if (this.res.destroyed) gone();
      else this.res.once('close', gone);
    }
    return this.#abort.signal;
  }

  get query(): URLSearchParams {
    this.#query ??= new URLSearchParams(this.search);
    return this.#query;
  }

  /** What the client accepts, best first. PS3.18 8.3.3.1: the query parameter wins over the header. */
  get accept(): readonly MediaRange[] {
    let header: string | undefined = this.req.headers.accept;
    if (this.search.includes('accept=')) {
      // A plus sign that nobody escaped (`application/dicom+json`) arrives as a space.
      const asked = this.query.getAll('accept').join(',');
      if (asked !== '') header = asked.replaceAll(/(\w) (?=\w)/g, '$1+');
    }
    return parseAccept(header, this.services.limits.acceptRangesMax);
  }

  /**
   * Root-relative, or absolute when a public URL is configured or a proxy says what it is called. What a client claims of
   * itself here only comes back to itself: answers are private to it.
   */
  get linkRoot(): string {
    const { publicUrl } = this.services;
    if (publicUrl !== null) return publicUrl + MOUNT;
    const forwarded = this.#forwarded();
    if (forwarded === null) return MOUNT;
    return this.#origin(forwarded) + forwarded.prefix + MOUNT;
  }

  /** Always absolute (Weasis makes a URL of it), unless not even the Host header can be used. */
  get absoluteRoot(): string {
    const root = this.linkRoot;
    return root === MOUNT ? this.#origin({ proto: undefined, host: undefined }) + MOUNT : root;
  }

  #origin(by: { readonly proto: string | undefined; readonly host: string | undefined }): string {
    const host = by.host ?? this.req.headers.host ?? '';
    if (!HOST.test(host)) return '';
    const encrypted = 'encrypted' in this.req.socket && this.req.socket.encrypted === true;
    const proto = by.proto === 'https' || by.proto === 'http' ? by.proto : encrypted ? 'https' : 'http';
    return `${proto}://${host}`;
  }

  #forwarded(): {
    readonly proto: string | undefined;
    readonly host: string | undefined;
    readonly prefix: string;
  } | null {
    const { headers } = this.req;
    const standard = firstOf(headers['forwarded']);
    const proto = /(?:^|;)\s*proto="?(\w+)"?/i.exec(standard ?? '')?.[1] ?? firstOf(headers['x-forwarded-proto']);
    const host = /(?:^|;)\s*host="?([^";]+)"?/i.exec(standard ?? '')?.[1] ?? firstOf(headers['x-forwarded-host']);
    const prefix = firstOf(headers['x-forwarded-prefix'])?.replace(/\/$/, '');
    if (proto === undefined && host === undefined && prefix === undefined) return null;
    return { proto: proto?.toLowerCase(), host, prefix: prefix !== undefined && PREFIX.test(prefix) ? prefix : '' };
  }
}
