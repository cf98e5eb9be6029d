// What taking in an instance shares, long or short: whom it asks, the identity rule, and how a refusal
// is told. Nothing of a refused instance stays behind.
import type { TaskFailure } from '../../../workers/tasks/types.js';
import { ArchiveError } from '../../core/errors.js';
import { parseSopUid, type StudyUid } from '../../core/ids.js';
import type { InstanceIdentity, StoreOutcome } from '../archive.js';
import type { ArchiveContext } from '../context.js';
import { tellFailure } from '../failures.js';
import type { Committer } from './committer.js';
import type { Ends, InstanceContent } from './drafts.js';
import { endOfDoubtful } from './heal.js';
import { type Identities, identityOf } from './identities.js';
import type { IngestBudget } from './ingest-budget.js';

export interface Receiver {
  readonly ctx: ArchiveContext;
  readonly committer: Committer;
  readonly budget: IngestBudget;
  readonly identities: Identities;
}

/**
 * Stores what `commit` makes durable, with what ends in its favour, unless its SOP Instance UID is taken: equal bytes are success (`duplicate`), other bytes are
 * refused and the first is kept. A second arrival of a UID that is on its way waits for the first.
 */
export async function storeOnce(
  receiver: Receiver,
  content: InstanceContent,
  study: StudyUid | undefined,
  commit: (ends: Ends) => Promise<void>,
): Promise<StoreOutcome> {
  const instance = identityOf(content);
  if (study !== undefined && instance.study !== study) {
    return refused(
      receiver.ctx,
      instance,
      new ArchiveError('CONFLICT', 'the instance belongs to another study than the one it was sent to'),
      'IDENTITY',
    );
  }
  try {
    const taken = await receiver.identities.reserve(instance, commit, (known) => endOfDoubtful(receiver, known));
    // Stored already: what is said of it must not be undone by what failed meanwhile.
    if (taken) receiver.ctx.gate.mustBeOpen();
    const { warnings } = content.parsed;
    return { status: taken ? 'duplicate' : 'stored', instance, warnings };
  } catch (error) {
    return refused(receiver.ctx, instance, error);
  }
}

/** What the parser found wrong; names the instance as far as it could be read. */
export function refusedByParser({ code, message, fault, identity }: TaskFailure): StoreOutcome {
  const { sopUid, sopClassUid } = identity ?? {};
  const instance = {
    ...(sopUid === undefined ? {} : { sop: parseSopUid(sopUid) }),
    ...(sopClassUid === undefined ? {} : { sopClass: sopClassUid }),
  };
  return { status: 'refused', instance, code, fault: fault ?? null, detail: message };
}

export function refused(
  ctx: ArchiveContext,
  instance: Partial<InstanceIdentity>,
  error: unknown,
  fault: 'IDENTITY' | null = null,
): StoreOutcome {
  const { code, detail } = tellFailure(ctx, error);
  // Aborted by us (a closing archive), not by who sent it: they may send it again.
  return { status: 'refused', instance, code: code === 'ABORTED' ? 'UNAVAILABLE' : code, fault, detail };
}
