// Which web pages of other origins may use the server, and what they may see of its answers (the Fetch standard).
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';

/**
 * A page on the same machine is a viewer under development. Any other must be named by the operator: a server without a
 * login that let every origin in would hand its patients to whatever page the user has open.
 */
const LOOPBACK = /^https?:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?$/;

const EXPOSED =
  'Content-Range, Content-Length, Content-Location, Content-Disposition, ETag, Warning, Retry-After, X-Total-Count';
const ALLOWED_HEADERS = 'authorization, accept, content-type, range, if-none-match, if-range';

/** The origin of the page that asks. An `<img>` sends none, but by default says where it is. */
function originOf({ headers }: IncomingMessage): string | null {
  if (headers.origin !== undefined) return headers.origin;
  return /^https?:\/\/[^/?#]{1,260}/i.exec(headers.referer ?? '')?.[0] ?? null;
}

/**
 * The headers that every answer has for pages of other origins. Resource policy: a viewer that isolates itself (COEP, for shared memory)
 * may only embed what says that it may be, and nobody else's page may embed patients at all.
 */
export function corsHeaders(req: IncomingMessage, origins: readonly string[]): OutgoingHttpHeaders {
  const origin = originOf(req);
  const any = origins.includes('*');
  const allowed = any || (origin !== null && (origins.includes(origin) || LOOPBACK.test(origin)));
  const policy = { 'Cross-Origin-Resource-Policy': allowed ? 'cross-origin' : 'same-origin' };
  if (req.headers.origin === undefined) return policy;
  if (!allowed) return { ...policy, Vary: 'Origin' };
  return {
    ...policy,
    'Access-Control-Allow-Origin': any ? '*' : (origin ?? ''),
    'Access-Control-Expose-Headers': EXPOSED,
    Vary: 'Origin',
  };
}

/** What a preflight asks for; null when the request is none. */
export function preflightHeaders(req: IncomingMessage, allow: string): OutgoingHttpHeaders | null {
  if (req.headers['access-control-request-method'] === undefined) return null;
  return {
    'Access-Control-Allow-Methods': allow,
    'Access-Control-Allow-Headers': ALLOWED_HEADERS,
    'Access-Control-Max-Age': '600',
  };
}
