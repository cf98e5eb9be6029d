// The DICOMweb surface as one plain node:http handler for everything under /dicomweb: resolves the path, picks the
// handler, and turns whatever fails into the answer that the protocol has for it.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ImageArchive, Scope } from '../tiering/archive/archive.js';
import { type Clock, type Random, systemClock, systemRandom } from '../tiering/core/clock.js';
import { ArchiveError, codeOf } from '../tiering/core/errors.js';
import { Semaphore } from '../tiering/core/queues.js';
import { sendEarly } from './answer/send.js';
import { describeCapabilities, describeService, type MethodsOf } from './capabilities.js';
import { corsHeaders } from './cors.js';
import { DELETABLE, deleteResource } from './delete.js';
import { type DicomwebEvent, Exchange, type Services } from './exchange.js';
import { DEFAULT_LIMITS, type DicomwebLimits } from './limits.js';
import type { PixelWorkers } from './pixels.js';
import { HttpProblem, problemAnswer } from './problem.js';
import { retrieveRendered } from './rendered/rendered.js';
import { retrieveThumbnail } from './rendered/thumbnail.js';
import { retrieveWadoUri } from './rendered/wado-uri.js';
import { retrieveBulkData } from './retrieve/bulkdata.js';
import { retrieveAllBulkData } from './retrieve/bulkdata-of-scope.js';
import { retrieveFrames } from './retrieve/frames.js';
import { retrieveMetadata } from './retrieve/metadata.js';
import { retrieveInstances } from './retrieve/retrieve.js';
import { matchPath, type Resource, type Target } from './router.js';
import { search } from './search/qido.js';
import { linger } from './store/request-body.js';
import { store } from './store/stow.js';

export interface DicomwebOptions {
  readonly archive: ImageArchive;
  /** Who decodes, encodes and renders; without it everything is given as it is stored. */
  readonly pixels?: PixelWorkers;
  /** What the outside calls the root of this server, without `/dicomweb`: `https://pacs.example/film`. */
  readonly publicUrl?: string;
  /** Origins of web pages that may use it, or `*`. Loopback origins always may. */
  readonly origins?: readonly string[];
  /** Whether DELETE is served; default: yes. */
  readonly deletes?: boolean;
  readonly limits?: Partial<DicomwebLimits>;
  readonly clock?: Clock;
  readonly random?: Random;
  /** Told of each request when its answer is out. */
  readonly log?: (event: DicomwebEvent) => void;
}

export interface Dicomweb {
  /**
   * Answers one request whose URL is under /dicomweb. Never rejects.
   * @param archive as this caller may see it; default: all of it.
   */
  handle(req: IncomingMessage, res: ServerResponse, archive?: ImageArchive): Promise<void>;
}

type Handler = (exchange: Exchange) => Promise<void>;

function scopeOf(target: Target): Scope {
  if (target.scope === null) throw new ArchiveError('INTERNAL', 'a route of a study matched without its UID');
  return target.scope;
}

const retrieve: Handler = (exchange) => retrieveInstances(exchange, scopeOf(exchange.target));

const GET: Readonly<Partial<Record<Resource, Handler>>> = {
  root: async (exchange) => describeService(exchange, methodsIn(exchange)),
  'search-studies': (exchange) => search(exchange, 'study'),
  'search-series': (exchange) => search(exchange, 'series'),
  'search-instances': (exchange) => search(exchange, 'instance'),
  study: retrieve,
  series: retrieve,
  instance: retrieve,
  metadata: (exchange) => retrieveMetadata(exchange, scopeOf(exchange.target)),
  frames: retrieveFrames,
  bulkdata: retrieveBulkData,
  'all-bulkdata': (exchange) => retrieveAllBulkData(exchange, scopeOf(exchange.target), 'bulkdata'),
  'all-pixeldata': (exchange) => retrieveAllBulkData(exchange, scopeOf(exchange.target), 'pixeldata'),
  rendered: (exchange) => retrieveRendered(exchange, scopeOf(exchange.target)),
  thumbnail: (exchange) => retrieveThumbnail(exchange, scopeOf(exchange.target)),
  'wado-uri': retrieveWadoUri,
};

const POST: Readonly<Partial<Record<Resource, Handler>>> = { 'search-studies': store, study: store };

function methodsOf(resource: Resource, deletes: boolean): readonly string[] {
  return [
    ...(GET[resource] === undefined ? [] : ['GET', 'HEAD']),
    ...(POST[resource] === undefined ? [] : ['POST']),
    ...(deletes && DELETABLE.has(resource) ? ['DELETE'] : []),
  ];
}

/** What the resources have here: the operator may have switched something off. */
function methodsIn({ services }: Exchange): MethodsOf {
  return (resource) => methodsOf(resource, services.deletes);
}

function pick(method: string | undefined, target: Target, deletes: boolean): Handler {
  const { resource } = target;
  if (resource === 'later') throw new HttpProblem(501, `${target.rest} is not implemented in this version`);
  const found = method === 'GET' || method === 'HEAD' ? GET[resource] : method === 'POST' ? POST[resource] : undefined;
  if (found !== undefined) return found;
  const methods = methodsOf(resource, deletes);
  if (methods.length === 0) throw new ArchiveError('NOT_FOUND', 'no such resource');
  if (method === 'DELETE' && methods.includes('DELETE')) return (exchange) => deleteResource(exchange, scopeOf(target));
  throw new HttpProblem(405, `this resource has ${methods.join(', ')}`, {
    headers: { Allow: [...methods, 'OPTIONS'].join(', ') },
  });
}

const NOWHERE: Target = { resource: 'root', scope: null, rest: '' };

/** Makes the handler. It holds nothing open and needs no closing. */
export function createDicomweb(options: DicomwebOptions): Dicomweb {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const services: Services = {
    archive: options.archive,
    pixels: options.pixels ?? null,
    pixelBudget: { memory: new Semaphore(limits.pixelBytesMax), slots: new Semaphore(limits.transcodesMax) },
    limits,
    clock: options.clock ?? systemClock,
    random: options.random ?? systemRandom,
    deletes: options.deletes ?? true,
    publicUrl: options.publicUrl?.replace(/\/+$/, '') ?? null,
    origins: options.origins ?? [],
  };

  function resolve(req: IncomingMessage, res: ServerResponse, archive: ImageArchive): Exchange {
    const url = req.url ?? '';
    const question = url.indexOf('?');
    const path = question < 0 ? url : url.slice(0, question);
    const search = question < 0 ? '' : url.slice(question + 1);
    if (search.length > services.limits.queryBytesMax) {
      throw new ArchiveError('INVALID', `the query is longer than ${services.limits.queryBytesMax} bytes`);
    }
    const target = matchPath(path, services.limits.pathBytesMax);
    if (target === null) throw new ArchiveError('NOT_FOUND', 'no such resource');
    return new Exchange(req, res, archive === services.archive ? services : { ...services, archive }, target, search);
  }

  async function fail(req: IncomingMessage, res: ServerResponse, error: unknown): Promise<void> {
    // Who asked is gone, or the answer broke off and its connection with it: there is nobody to tell.
    if (res.destroyed || res.headersSent) {
      res.destroy();
      return;
    }
    const problem = problemAnswer(error, services.limits.retryAfterSeconds);
    await sendEarly(req, res, problem, () => linger(req, services.clock, services.limits.lingerMs));
  }

  async function handle(req: IncomingMessage, res: ServerResponse, archive = options.archive): Promise<void> {
    const beganMs = services.clock.monotonicMs();
    let target = NOWHERE;
    let fault: unknown;
    try {
      for (const [name, value] of Object.entries(corsHeaders(req, services.origins))) res.setHeader(name, value ?? '');
      const exchange = resolve(req, res, archive);
      target = exchange.target;
      if (req.method === 'OPTIONS') describeCapabilities(exchange, methodsIn(exchange));
      else await pick(req.method, target, services.deletes)(exchange);
    } catch (error) {
      fault = error;
      await fail(req, res, error);
    }
    options.log?.({
      kind: 'request',
      method: req.method ?? '',
      resource: target.resource,
      status: res.headersSent ? res.statusCode : 499,
      ms: services.clock.monotonicMs() - beganMs,
      ...(fault === undefined ? {} : { code: codeOf(fault) }),
      ...(fault === undefined || fault instanceof ArchiveError ? {} : { error: fault }),
    });
  }

  return { handle };
}
