// Liveness and readiness. Alive: the event loop turns. Ready: the archive is open, its index answers, and nobody has asked
// the process to stop.
import type { Archive, ArchiveStatus } from '../tiering/archive/archive.js';
import type { Clock } from '../tiering/core/clock.js';
import { withDeadline } from '../tiering/core/queues.js';

const STATUS_AGE_MS_MAX = 2000;
const STATUS_WAIT_MS = 5000;

export interface Health {
  /** The archive's status, at most two seconds old; one question to the archive however many ask. */
  status(): Promise<ArchiveStatus>;
  /** Something changed that whoever asks next wants to see: the kept status is too old, whatever its age. */
  changed(): void;
  /** Null when ready, else why not. */
  notReady(): Promise<string | null>;
  /** From now on not ready: load balancers take the process out before it stops listening. */
  stopping(): void;
}

export function createHealth(archive: Archive, clock: Clock): Health {
  let stopping = false;
  let latest: { readonly at: number; readonly status: Promise<ArchiveStatus> } | undefined;
  const status = (): Promise<ArchiveStatus> => {
    const now = clock.monotonicMs();
    if (latest === undefined || now - latest.at > STATUS_AGE_MS_MAX) {
      const asked = { at: now, status: withDeadline(STATUS_WAIT_MS, 'the index', () => archive.status()) };
      latest = asked;
      asked.status.catch(() => {
        if (latest === asked) latest = undefined;
      });
    }
    return latest.status;
  };
  return {
    status,
    changed: () => {
      latest = undefined;
    },
    stopping: () => {
      stopping = true;
    },
    notReady: async () => {
      if (stopping) return 'stopping';
      try {
        const { stopped } = await status();
        // While it only cannot be written, what is there is read as ever; one that may answer wrongly is another matter.
        return stopped?.restart === true ? stopped.reason : null;
      } catch {
        return 'the index does not answer';
      }
    },
  };
}
