// DELETE of a study, a series or an instance, as clients know it from other archives: 204, and 404 from then on, at once and
// on every route.
import type { Scope } from '../tiering/archive/archive.js';
import { sendEmpty } from './answer/send.js';
import type { Exchange } from './exchange.js';
import type { Resource } from './router.js';

/** What can be deleted. */
export const DELETABLE: ReadonlySet<Resource> = new Set<Resource>(['study', 'series', 'instance']);

const PENDING =
  '299 filmroom "Deleted; fewer replicas than the write quorum answered, the others are told when they are back"';

/** 204 when trays and the write quorum of replicas hold it; 202 with a Warning when replicas are still to be told; 404; 503. */
export async function deleteResource(exchange: Exchange, scope: Scope): Promise<void> {
  // Not by the client's signal: whoever hangs up in the middle would leave half a study.
  const { durable } = await exchange.services.archive.remove(scope);
  sendEmpty(exchange, durable === 'quorum' ? 204 : 202, durable === 'quorum' ? {} : { Warning: PENDING });
}
