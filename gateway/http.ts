// The HTTP server: DICOMweb goes to its own handler (express costs more than a hot frame), everything else to a small express
// app. Authentication comes before both; health and readiness need none. Stopping lets what is in flight finish.
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import express, { type ErrorRequestHandler, type Express } from 'express';
import helmet from 'helmet';
import { ArchiveError } from '../tiering/core/errors.js';
import { type AdminDependencies, adminRouter } from './admin/router.js';
import type { Authenticate } from './auth.js';
import type { Config } from './config.js';
import { PAGE_CSS, PAGE_HTML, PAGE_SCRIPT } from './console/page.js';
import type { Metrics, RouteClass } from './metrics.js';

export interface DicomwebHandler {
  handle(request: IncomingMessage, response: ServerResponse): unknown;
}

export interface HttpDependencies extends AdminDependencies {
  readonly config: Config['http'];
  readonly authenticate: Authenticate;
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
  const { authenticate, dicomweb, metrics, logger } = dependencies;
  const app = expressApp(dependencies);
  return (request, response) => {
    const route = routeOf(request.url ?? '/');
    metrics.observe(route, request.method ?? '', response);
    response.setHeader('X-Content-Type-Options', 'nosniff');
    // A CORS preflight carries no credentials by its nature (Fetch, 4.8) and changes nothing.
    const preflight = request.method === 'OPTIONS' && request.headers['access-control-request-method'] !== undefined;
    if (route !== 'operations' && !preflight) {
      const who = authenticate(request);
      if (!who.allowed) {
        refuse(request, response, who.status, who.detail);
        return;
      }
    }
    if (route !== 'dicomweb' && route !== 'wado-uri') {
      app(request, response);
      return;
    }
    void answerDicomweb(dicomweb, request, response).catch((error: unknown) => {
      logger.error({ err: error }, 'the DICOMweb handler failed');
      if (!response.headersSent) refuse(request, response, 500, 'an error inside Filmroom; its log says more');
      else response.destroy();
    });
  };
}

/** A handler that throws before its first await rejects here like any other. */
async function answerDicomweb(
  handler: DicomwebHandler,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  await handler.handle(request, response);
}

function routeOf(url: string): RouteClass {
  const path = url.split('?', 1)[0] ?? '/';
  const under = (prefix: string) => path === prefix || path.startsWith(`${prefix}/`);
  if (under('/dicomweb')) return 'dicomweb';
  if (under('/wado')) return 'wado-uri';
  if (under('/admin')) return 'admin';
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
    response
      .status(why === null ? 200 : 503)
      .type('text/plain')
      .send(`${why ?? 'ready'}\n`);
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
