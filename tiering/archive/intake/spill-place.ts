// Where a long instance goes while it comes: a pack in the making that holds it alone. Implementations: volume-spill.ts, quorum-spill.ts.
import type { Parsed } from '../../../workers/tasks/types.js';
import type { Ends, InstanceContent } from './drafts.js';

export interface SpillPlace {
  /** Takes the next bytes, in order. PlaceFailed when another place may do better. */
  take(piece: Uint8Array): Promise<void>;
  /** Parses what was taken. */
  parse(): Promise<Parsed>;
  /** Makes it durable and visible. PlaceFailed as `take`. */
  commit(content: InstanceContent, ends: Ends): Promise<void>;
  /** After PlaceFailed: everything that was taken, the last piece too. Throws when it cannot be read. */
  readBack(): AsyncIterable<Uint8Array>;
  /** Removes what there is of it, unless it was committed. Never rejects. */
  end(): Promise<void>;
}

/** The place where the instance was going is not fit for it any more; the cause was told to who watches over the place. */
export class PlaceFailed extends Error {}
