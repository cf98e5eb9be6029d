// The index while it may lack something: what it has is answered as ever; what it does not find may not have been found yet, and that is
// UNAVAILABLE, never absent.
import { ArchiveError, codeOf } from '../../core/errors.js';
import type { Index } from '../../index/index.js';
import type { ImageArchive } from '../archive.js';

/** @param told why it may lack something; null: it does not, and absent is absent. */
export function readsOf(
  index: Index,
  told: () => string | null,
): Pick<ImageArchive, 'query' | 'instances' | 'instance' | 'metadata'> {
  async function* found<T>(items: AsyncIterable<T>): AsyncGenerator<T, void, void> {
    let any = false;
    for await (const item of items) {
      any = true;
      yield item;
    }
    const why = any ? null : told();
    if (why !== null) throw notYet(why);
  }
  return {
    query: async (spec, signal) => {
      const page = await index.query(spec, signal);
      const why = told();
      return why === null ? page : { ...page, provisional: why };
    },
    instances: (scope) => found(index.instances(scope)),
    instance: (scope) => orDoubtful(told, () => index.instance(scope)),
    metadata: (scope) => found(index.metadata(scope)),
  };
}

/** What `work` gives; where it says NOT_FOUND and something may be lacking, UNAVAILABLE. */
export async function orDoubtful<T>(told: () => string | null, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const why = codeOf(error) === 'NOT_FOUND' ? told() : null;
    throw why === null ? error : notYet(why);
  }
}

function notYet(why: string): ArchiveError {
  return new ArchiveError('UNAVAILABLE', `it was not found so far: ${why}. Ask again later`);
}
