// The HTTP server: DICOMweb goes to its own handler (express costs more than a hot frame), everything else to a small express
// app. Authentication comes before both; health and readiness need none. Stopping lets what is in flight finish.
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import express, { type ErrorRequestHandler, type Express } from 'express';
import helmet from 'helmet';
import { corsHeaders } from '../dicomweb/cors.js';
import type { ImageArchive } from '../tiering/archive/archive.js';
import { describe } from '../tiering/archive/recovery/rebuild-state.js';
import { restrictArchive } from '../tiering/archive/restricted-archive.js';
import { ArchiveError } from '../tiering/core/errors.js';
import { type AdminDependencies, adminRouter } from './admin/router.js';
import { auditRequest, noteStores } from './audit/requests.js';
import { type Access, adminActions, imageAction } from './auth/access.js';
import type { Authenticator } from './auth/authenticate.js';
import type { AuthResult } from './auth/result.js';
import { answerSession } from './auth/session.js';
import type { Config } from './config.js';
import { PAGE_CSS, PAGE_HTML, PAGE_SCRIPT } from './console/page.js';
import type { Metrics, RouteClass } from './metrics.js';

export interface DicomwebHandler {
  handle(request: IncomingMessage, response: ServerResponse, archive: ImageArchive): unknown;
}

export interface HttpDependencies extends AdminDependencies {
  readonly config: Config['http'];
  readonly authenticator: Authenticator;
  readonly dicomweb: DicomwebHandler;
  readonly metrics: Metrics;
}

/** A socket on which nothing moves for so long is closed: slow lorises, dead peers. */
const IDLE_MS = 120_000;
const HEADERS_MS = 30_000;
const CONNECTIONS_MAX = 2048;

export interface HttpServer {
  /** Where it listens, as one types it. */
  readonly url: string;
  /** Stops listening, lets answers in flight finish for `graceMs`, then cuts them. Idempotent. */
  close(graceMs: number): Promise<void>;
}

/** Listens, or throws INVALID (address in use, no such address, unreadable certificate). */
export async function startHttp(dependencies: HttpDependencies): Promise<HttpServer> {
  const { config } = dependencies;
  const server = makeServer(config, requestListener(dependencies));
  server.maxConnections = CONNECTIONS_MAX;
  server.setTimeout(IDLE_MS);
  server.on('clientError', refuseBroken);
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const why =
        error.code === 'EADDRINUSE'
          ? 'is in use already; stop the other program or set http.port'
          : `cannot be used (${error.code})`;
      reject(new ArchiveError('INVALID', `http: ${config.host}:${config.port} ${why}`, { cause: error }));
    });
    server.listen(config.port, config.host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  const host = config.host.includes(':') ? `[${config.host}]` : config.host;
  let closed: Promise<void> | undefined;
  return {
    url: `${config.tls === undefined ? 'http' : 'https'}://${host}:${port}`,
    close: (graceMs) => {
      closed ??= closeServer(server, graceMs);
      return closed;
    },
  };
}

function makeServer(config: Config['http'], listener: RequestListener): Server {
  // A STOW may rightly take an hour; what is bounded is the silence in it (IDLE_MS) and the time for the headers.
  const options = { requestTimeout: 0, headersTimeout: HEADERS_MS, keepAliveTimeout: 65_000 };
  if (config.tls === undefined) return createServer(options, listener);
  try {
    const { cert, key } = config.tls;
    return createTlsServer(
      { ...options, cert: readFileSync(cert), key: readFileSync(key), minVersion: 'TLSv1.2' },
      listener,
    );
  } catch (error) {
    throw new ArchiveError(
      'INVALID',
      `http.tls: the certificate or its key cannot be used (${(error as NodeJS.ErrnoException).code})`,
      {
        cause: error,
      },
    );
  }
}

function closeServer(server: Server, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const cut = setTimeout(() => server.closeAllConnections(), graceMs);
    server.close(() => {
      clearTimeout(cut);
      resolve();
    });
    server.closeIdleConnections();
  });
}

function requestListener(dependencies: HttpDependencies): RequestListener {
  const { authenticator, metrics, logger } = dependencies;
  const answer = answerer(dependencies);
  return (request, response) => {
    const route = routeOf(request.url ?? '/');
    metrics.observe(route, request.method ?? '', response);
    response.setHeader('X-Content-Type-Options', 'nosniff');
    // A CORS preflight carries no credentials by its nature (Fetch, 4.8) and changes nothing.
    const preflight = request.method === 'OPTIONS' && request.headers['access-control-request-method'] !== undefined;
    const open = route === 'operations' || preflight;
    const broken = (error: unknown) => {
      logger.error({ err: error }, 'a request failed outside of its handler');
      if (!response.headersSent) refuse(request, response, 500, 'an error inside Filmroom; its log says more');
      else response.destroy();
    };
    const go = (who: AuthResult) => {
      auditRequest(dependencies, route, request, response, who);
      try {
        const answered = answer(route, request, response, who);
        if (answered instanceof Promise) answered.catch(broken);
      } catch (error) {
        broken(error);
      }
    };
    // Only a signed token is waited for; static ones cost no turn of the event loop.
    const who = open ? OPEN : authenticator.authenticate(request);
    if (who instanceof Promise) who.then(go).catch(broken);
    else go(who);
  };
}

/** For what needs no credentials: nobody's studies. */
const OPEN: AuthResult = { allowed: true, access: { name: '', may: new Set(['read']), studies: new Set() } };

type Answer = (route: RouteClass, request: IncomingMessage, response: ServerResponse, who: AuthResult) => unknown;

function answerer(dependencies: HttpDependencies): Answer {
  const { archive, dicomweb, config } = dependencies;
  const app = expressApp(dependencies);
  const secure = config.tls !== undefined || config.publicUrl?.startsWith('https:') === true;
  // One decorator a caller, not one a request.
  const views = new WeakMap<Access, ImageArchive>();
  const viewOf = (access: Access) => {
    const known = views.get(access) ?? restrictArchive(archive, access);
    views.set(access, known);
    return known;
  };
  return (route, request, response, who) => {
    // Of refusals too: a page that may not read them cannot tell a missing login from a network that is down.
    for (const [name, value] of Object.entries(corsHeaders(request, config.origins ?? []))) {
      if (value !== undefined) response.setHeader(name, value);
    }
    if (!who.allowed) return refuse(request, response, who.status, who.detail);
    const images = route === 'dicomweb' || route === 'wado-uri';
    const needed = images ? [imageAction(request)] : adminActions(request);
    const lacking = needed.find((action) => !who.access.may.has(action));
    if (route !== 'operations' && route !== 'session' && lacking !== undefined) {
      return refuse(request, response, 403, `these credentials may not ${lacking}`);
    }
    if (route === 'session') return answerSession(request, response, secure);
    if (images) {
      const view = viewOf(who.access);
      return dicomweb.handle(request, response, request.method === 'POST' ? noteStores(view, request) : view);
    }
    return app(request, response);
  };
}

function routeOf(url: string): RouteClass {
  // As express reads it: it knows no case, and forgives a slash at the end. What it would serve must not pass for something else here.
  const path = (url.split('?', 1)[0] ?? '/').toLowerCase().replace(/\/+$/, '');
  const under = (prefix: string) => path === prefix || path.startsWith(`${prefix}/`);
  if (under('/dicomweb')) return 'dicomweb';
  if (under('/wado')) return 'wado-uri';
  if (under('/admin')) return 'admin';
  if (path === '/session') return 'session';
  // The console's three files hold nothing that is anyone's secret; what they show comes from /admin.
  return path === '/metrics' ? 'console' : 'operations';
}

function expressApp(dependencies: HttpDependencies): Express {
  const { health, metrics } = dependencies;
  const app = express();
  app.disable('x-powered-by');
  app.set('etag', false);
  app.use(helmet({ strictTransportSecurity: dependencies.config.tls !== undefined }));
  app.get('/healthz', (_, response) => {
    response.type('text/plain').send('ok\n');
  });
  app.get('/readyz', async (_, response) => {
    const why = await health.notReady();
    // It searches and reads, so that it is of use; what it refuses says so itself.
    const rebuild = why === null ? (await health.status()).rebuild : null;
    const ready = rebuild === null ? 'ready' : `ready, provisional: the index is being rebuilt, ${describe(rebuild)}`;
    response
      .status(why === null ? 200 : 503)
      .type('text/plain')
      .send(`${why ?? ready}\n`);
  });
  app.get('/metrics', async (_, response) => {
    const { contentType, text } = await metrics.expose();
    response.set('Content-Type', contentType).send(text);
  });
  app.use('/admin/api', adminRouter(dependencies));
  app.get('/', (_, response) => {
    response.type('text/html').send(PAGE_HTML);
  });
  app.get('/console.css', (_, response) => {
    response.type('text/css').send(PAGE_CSS);
  });
  app.get('/console.js', (_, response) => {
    response.type('text/javascript').send(PAGE_SCRIPT);
  });
  app.use((request, response) => {
    refuse(
      request,
      response,
      404,
      'there is nothing here; /dicomweb, /admin/api, /healthz, /readyz, /metrics and / are',
    );
  });
  const last: ErrorRequestHandler = (error: unknown, request, response, _next) => {
    dependencies.logger.error({ err: error }, 'request failed');
    if (response.headersSent) response.destroy();
    else refuse(request, response, 500, 'an error inside Filmroom; its log says more');
  };
  app.use(last);
  return app;
}

/** Answers without reading the body; the connection is closed after it, since what comes next on it may be that body. */
function refuse(request: IncomingMessage, response: ServerResponse, status: number, detail: string): void {
  const body = JSON.stringify({ title: status === 401 ? 'Unauthorized' : 'Refused', status, detail });
  const hasBody = request.headers['content-length'] !== undefined || request.headers['transfer-encoding'] !== undefined;
  response.writeHead(status, {
    'Content-Type': 'application/problem+json',
    'Content-Length': Buffer.byteLength(body),
    ...(status === 401 ? { 'WWW-Authenticate': 'Bearer' } : {}),
    ...(status === 503 ? { 'Retry-After': '5' } : {}),
    ...(hasBody ? { Connection: 'close' } : {}),
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}

/** What Node's parser refuses: bad framing, headers too long or too slow. */
function refuseBroken(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const line =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? '431 Request Header Fields Too Large'
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? '408 Request Timeout'
        : '400 Bad Request';
  const body = JSON.stringify({
    title: line.slice(4),
    status: Number(line.slice(0, 3)),
    detail: 'the request could not be read',
  });
  socket.end(
    `HTTP/1.1 ${line}\r\nContent-Type: application/problem+json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
  );
}
