// What taking in an instance shares, long or short: whom it asks, the identity rule, and how a refusal
// is told. Nothing of a refused instance stays behind.
import type { TaskFailure } from '../../workers/tasks/types.js';
import { ArchiveError, codeOf, hasCode } from '../core/errors.js';
import type { StudyUid } from '../core/ids.js';
import type { InstanceIdentity, StoreOutcome } from './archive.js';
import type { Committer } from './committer.js';
import type { ArchiveContext } from './context.js';
import type { InstanceContent } from './drafts.js';
import { type Identities, identityOf } from './identities.js';
import type { IngestBudget } from './ingest-budget.js';

export interface Receiver {
  readonly ctx: ArchiveContext;
  readonly committer: Committer;
  readonly budget: IngestBudget;
  readonly identities: Identities;
}

/**
 * Stores what `commit` makes durable unless its SOP Instance UID is taken: equal bytes are success (`duplicate`), other bytes are
 * refused and the first is kept. A second arrival of a UID that is on its way waits for the first.
 */
export async function storeOnce(
  receiver: Receiver,
  content: InstanceContent,
  study: StudyUid | undefined,
  commit: () => Promise<void>,
): Promise<StoreOutcome> {
  const instance = identityOf(content);
  if (study !== undefined && instance.study !== study) {
    return refused(
      instance,
      new ArchiveError('CONFLICT', 'the instance belongs to another study than the one it was sent to'),
      'IDENTITY',
    );
  }
  try {
    const taken = await receiver.identities.reserve(instance, commit);
    const { warnings } = content.parsed;
    return { status: taken ? 'duplicate' : 'stored', instance, warnings };
  } catch (error) {
    return refused(instance, error);
  }
}

export function refusedByParser(failure: TaskFailure): StoreOutcome {
  return { status: 'refused', instance: {}, code: failure.code, fault: failure.fault ?? null, detail: failure.message };
}

export function refused(
  instance: Partial<InstanceIdentity>,
  error: unknown,
  fault: 'IDENTITY' | null = null,
): StoreOutcome {
  const detail = error instanceof ArchiveError ? error.message : 'an unexpected error: see the server log';
  const code = hasCode(error, 'ABORTED') ? 'UNAVAILABLE' : codeOf(error);
  return { status: 'refused', instance, code, fault, detail };
}
