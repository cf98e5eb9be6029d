// Where requests come into the audit log: when an answer is over, what is known of it then is put onto the list. What only those inside learn (which
// studies were stored into, what a command was about) they note beside the request.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ImageArchive } from '../../tiering/archive/archive.js';
import type { Clock } from '../../tiering/core/clock.js';
import type { AuthResult } from '../auth/result.js';
import type { RouteClass } from '../metrics.js';
import type { Audit } from './audit.js';
import { askedOf, recordOf } from './request-record.js';

const noted = new WeakMap<IncomingMessage, Record<string, unknown>>();

/** Adds to what is written of this request. */
export function note(request: IncomingMessage, details: Readonly<Record<string, unknown>>): void {
  const known = noted.get(request);
  if (known === undefined) noted.set(request, { ...details });
  else Object.assign(known, details);
}

/** Images whatever is done to them; of operators what changes something (the console asks for the status every few seconds), and whoever is turned away. */
function isAudited(route: RouteClass, method: string | undefined, allowed: boolean): boolean {
  if (route === 'dicomweb' || route === 'wado-uri') return method !== 'OPTIONS';
  return (
    (route === 'admin' || route === 'session') &&
    (!allowed || (route === 'admin' && method !== 'GET' && method !== 'HEAD'))
  );
}

/** Writes the request down once its answer is over. */
export function auditRequest(
  { audit, clock }: { readonly audit: Audit; readonly clock: Clock },
  route: RouteClass,
  request: IncomingMessage,
  response: ServerResponse,
  who: AuthResult,
): void {
  if (!isAudited(route, request.method, who.allowed)) return;
  const name = who.allowed ? who.access.name : 'unknown';
  const atMs = clock.nowMs();
  // The peer of a socket that is closed is not known any more.
  const from = request.socket.remoteAddress ?? 'unknown';
  // Whoever routes it may cut its beginning off.
  const url = request.url ?? '/';
  response.once('close', () => {
    const asked = askedOf(request, response, { url, who: name, from, atMs, details: noted.get(request) });
    audit.later(() => recordOf(asked));
  });
}

/** The archive of one store request: the studies that it stores into are noted beside the request. */
export function noteStores(archive: ImageArchive, request: IncomingMessage): ImageArchive {
  const studies = new Set<string>();
  return {
    receive: async (body, options) => {
      const received = await archive.receive(body, options);
      const outcome = received.outcome.then((one) => {
        if (one.status !== 'refused' && studies.size < STUDIES_MAX && !studies.has(one.instance.study)) {
          studies.add(one.instance.study);
          note(request, { studies: [...studies] });
        }
        return one;
      });
      outcome.catch(() => undefined);
      return { outcome };
    },
    remove: (scope, options) => archive.remove(scope, options),
    query: (spec, signal) => archive.query(spec, signal),
    instances: (scope) => archive.instances(scope),
    instance: (scope) => archive.instance(scope),
    metadata: (scope) => archive.metadata(scope),
    read: (instance, range, signal) => archive.read(instance, range, signal),
  };
}

const STUDIES_MAX = 1_000;
