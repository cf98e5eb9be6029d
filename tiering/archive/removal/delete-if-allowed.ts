// A replica may be set up so that this server cannot delete there: then what is replaced stays, and nothing else is the worse for it.
import type { ObjectStore } from '../../cold/object-store.js';
import { hasCode } from '../../core/errors.js';
import type { ObjectKey } from '../../core/ids.js';

/** Resolves with whether it is gone. */
export async function deleteIfAllowed(
  store: ObjectStore,
  name: ObjectKey,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  try {
    await store.delete(name, signal);
    return true;
  } catch (error) {
    if (hasCode(error, 'FORBIDDEN')) return false;
    throw error;
  }
}
