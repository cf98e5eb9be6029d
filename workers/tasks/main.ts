// What runs in a worker thread: one exported function a task, each answering with its outcome as
// data and its buffers moved.
import { move, transferableSymbol, valueSymbol } from 'piscina';
import { releaseBuffer } from '../../tiering/core/release.js';
import { hashTask, openTask, sealTask } from './chunk-tasks.js';
import { ingestTask, scanFileTask } from './dicom-tasks.js';
import { failureOf, type TaskOutcome, transferList } from './handover.js';
import type { HashTask, IngestTask, OpenTask, Parsed, ScanFileTask, SealTask } from './types.js';

function answer<T>(work: () => T, buffersOf: (value: T) => readonly Uint8Array[]): unknown {
  let outcome: TaskOutcome<T>;
  let buffers: ArrayBuffer[] = [];
  try {
    const value = work();
    outcome = { ok: true, value };
    buffers = transferList(buffersOf(value));
  } catch (error) {
    outcome = { ok: false, failure: failureOf(error) };
  }
  return move({ [transferableSymbol]: buffers, [valueSymbol]: outcome } as unknown as ArrayBuffer);
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

export function seal(task: SealTask): unknown {
  const answered = answer(
    () => sealTask(task),
    (result) => [result.sealed],
  );
  // It was moved here, nobody else has it, and this thread may not collect its garbage for a long while.
  releaseBuffer(task.plaintext);
  return answered;
}

export function open(task: OpenTask): unknown {
  const answered = answer(
    () => openTask(task),
    (plain) => [plain],
  );
  releaseBuffer(task.bytes);
  return answered;
}

export function hash(task: HashTask): unknown {
  return answer(
    () => hashTask(task),
    (result) => [result.bytes],
  );
}
