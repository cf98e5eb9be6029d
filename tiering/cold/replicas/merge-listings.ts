// Several replicas' listings as one, ascending and without duplicates. A replica that fails on the way
// drops out; too few left to be sure of every object end the listing.
import { ArchiveError } from '../../core/errors.js';
import { orAborted } from '../checks.js';
import type { ObjectEntry } from '../object-store.js';

export interface Listing {
  readonly name: string;
  readonly entries: AsyncIterable<ObjectEntry>;
}

interface Cursor {
  readonly name: string;
  readonly iterator: AsyncIterator<ObjectEntry>;
  /** Undefined at its end. */
  head: ObjectEntry | undefined;
}

/**
 * Merges. With W copies of each object on N replicas, any N - W + 1 of them together name every object: `needed`. Throws
 * UNAVAILABLE when fewer than that were read to their ends.
 */
export async function* mergeListings(
  listings: readonly Listing[],
  needed: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<ObjectEntry, void, void> {
  const failures: string[] = [];
  let cursors: Cursor[] = listings.map(({ name, entries }) => ({
    name,
    iterator: entries[Symbol.asyncIterator](),
    head: undefined,
  }));
  /** Moves these on, and forgets those that fail. */
  const advance = async (moving: readonly Cursor[]) => {
    const failed = new Set<Cursor>();
    const steps = await Promise.allSettled(moving.map((cursor) => cursor.iterator.next()));
    steps.forEach((step, at) => {
      const cursor = moving[at];
      if (cursor === undefined) return;
      if (step.status === 'fulfilled') cursor.head = step.value.done === true ? undefined : step.value.value;
      else {
        failed.add(cursor);
        failures.push(`${cursor.name}: ${step.reason instanceof Error ? step.reason.message : String(step.reason)}`);
      }
    });
    cursors = cursors.filter((cursor) => !failed.has(cursor));
    if (cursors.length >= needed) return;
    const error = new ArchiveError('UNAVAILABLE', `too few replicas can be listed (${failures.join('; ')})`);
    throw orAborted(error, signal);
  };
  try {
    await advance(cursors);
    for (;;) {
      const least = cursors.reduce<ObjectEntry | undefined>(
        (best, { head }) => (head !== undefined && (best === undefined || head.key < best.key) ? head : best),
        undefined,
      );
      if (least === undefined) return;
      yield least;
      await advance(cursors.filter(({ head }) => head?.key === least.key));
    }
  } finally {
    for (const { iterator } of cursors) iterator.return?.().catch(() => undefined);
  }
}
