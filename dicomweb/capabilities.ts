// OPTIONS and CORS (PS3.18 8.9 and the Fetch standard): which methods a resource has, and which web pages of other
// origins may use them.
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import type { Exchange } from './exchange.js';
import { sendEmpty } from './send.js';

/**
 * A page on the same machine is a viewer under development. Any other must be named by the operator: a server without a
 * login that let every origin in would hand its patients to whatever page the user has open.
 */
const LOOPBACK = /^https?:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?$/;

const EXPOSED = 'Content-Range, Content-Length, Content-Location, ETag, Warning, Retry-After, X-Total-Count';
const ALLOWED_HEADERS = 'authorization, accept, content-type, range, if-none-match, if-range';

/** The CORS headers of every answer; none for a request that is of no other origin. */
export function corsHeaders(req: IncomingMessage, origins: readonly string[]): OutgoingHttpHeaders | null {
  const { origin } = req.headers;
  if (origin === undefined) return null;
  const any = origins.includes('*');
  if (!any && !origins.includes(origin) && !LOOPBACK.test(origin)) return { Vary: 'Origin' };
  return {
    'Access-Control-Allow-Origin': any ? '*' : origin,
    'Access-Control-Expose-Headers': EXPOSED,
    Vary: 'Origin',
  };
}

/** Answers OPTIONS: a preflight with what may be asked, anything else with the methods of the resource. */
export function describeCapabilities(exchange: Exchange, methods: readonly string[]): void {
  const allow = [...methods, 'OPTIONS'].join(', ');
  const preflight = exchange.req.headers['access-control-request-method'] !== undefined;
  sendEmpty(exchange, 204, {
    Allow: allow,
    ...(preflight
      ? {
          'Access-Control-Allow-Methods': allow,
          'Access-Control-Allow-Headers': ALLOWED_HEADERS,
          'Access-Control-Max-Age': '600',
        }
      : {}),
  });
}
