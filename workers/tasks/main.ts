// What runs in a worker thread: one exported function a task, each answering with its outcome as
// data and its buffers moved.
import { markSole, releaseBuffer } from '../../tiering/core/buffers.js';
import { hashTask, openTask, sealTask } from './chunk-tasks.js';
import { ingestTask, scanFileTask, scanKeptTask } from './dicom-tasks.js';
import { failureOf, handedOver } from './handover.js';
import type { HashTask, IngestTask, OpenTask, Parsed, ScanFileTask, ScanKeptTask, SealTask } from './types.js';

function answer<T>(work: () => T, buffersOf: (value: T) => readonly Uint8Array[]): unknown {
  try {
    const value = work();
    return handedOver({ ok: true, value }, buffersOf(value));
  } catch (error) {
    return handedOver({ ok: false, failure: failureOf(error) }, []);
  }
}

function metadataOf(parsed: Parsed): readonly Uint8Array[] {
  return parsed.ok ? [parsed.metadata] : [];
}

export function ingest(task: IngestTask): unknown {
  return answer(
    () => ingestTask(task),
    (result) => [result.bytes, ...metadataOf(result.parsed)],
  );
}

export function scanFile(task: ScanFileTask): unknown {
  return answer(() => scanFileTask(task), metadataOf);
}

export function scanKept(task: ScanKeptTask): unknown {
  return answer(
    () => scanKeptTask(task),
    (result) => ('parsed' in result ? metadataOf(result.parsed) : []),
  );
}

export function seal(task: SealTask): unknown {
  const { plaintext } = task;
  let usedUp = false;
  const answered = answer(
    () => {
      const result = sealTask(task);
      usedUp = result.sealed.buffer === plaintext.buffer;
      return result;
    },
    ({ sealed }) => [sealed],
  );
  // It was moved here, nobody else has it, and this thread may not collect its garbage for a long while.
  if (!usedUp) {
    markSole(plaintext);
    releaseBuffer(plaintext);
  }
  return answered;
}

export function open(task: OpenTask): unknown {
  return answer(
    () => openTask(task),
    ({ bytes }) => [bytes],
  );
}

export function hash(task: HashTask): unknown {
  return answer(
    () => hashTask(task),
    (result) => [result.bytes],
  );
}
