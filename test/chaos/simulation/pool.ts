// The tasks of the worker threads, run at once. A history has few instances and reads them often: what parsing one gives is kept, over all
// histories, since the same bytes give the same.
import { hash } from 'node:crypto';
import { ArchiveError } from '../../../tiering/core/errors.js';
import { parseSha256 } from '../../../tiering/core/ids.js';
import type { WorkerPool } from '../../../workers/pool.js';
import { hashTask, openTask, sealTask } from '../../../workers/tasks/chunk-tasks.js';
import { ingestTask } from '../../../workers/tasks/dicom-tasks.js';
import type { IngestResult, IngestTask, Parsed } from '../../../workers/tasks/types.js';
import type { Life } from './life.js';

const parsedBySha = new Map<string, Parsed>();
const PARSED_MAX = 4_000;

function ingest({ bytes }: IngestTask): IngestResult {
  const sha256 = parseSha256(hash('sha256', bytes));
  let parsed = parsedBySha.get(sha256);
  if (parsed === undefined) {
    parsed = ingestTask({ bytes }).parsed;
    if (parsedBySha.size > PARSED_MAX) parsedBySha.clear();
    parsedBySha.set(sha256, parsed);
  }
  return { bytes, sha256, parsed: parsed.ok ? { ...parsed, metadata: parsed.metadata.slice() } : parsed };
}

/** The pool of one process. `broken`: whether the thread of this task dies with it. */
export function poolOf(life: Life, broken: () => boolean): WorkerPool {
  const run = <T>(work: () => T): Promise<T> =>
    life.call(false, () => {
      if (broken()) throw new ArchiveError('UNAVAILABLE', 'the worker thread was made to die');
      return work();
    });
  const tooLong = () =>
    run(() => {
      throw new ArchiveError('NOT_SUPPORTED', 'no instance of a simulation is so long');
    });
  return {
    threads: 2,
    pending: 0,
    ingest: (task) => run(() => ingest(task)),
    scanFile: tooLong,
    scanKept: tooLong,
    seal: (task) => run(() => sealTask(task)),
    open: (task) => run(() => openTask(task)),
    hash: (task) => run(() => hashTask(task)),
    close: () => Promise.resolve(),
  };
}
