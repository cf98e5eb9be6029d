// What runs in a worker thread: one exported function a task, each answering with its outcome as
// data and its buffers moved.
import { markSole, releaseBuffer } from '../../tiering/core/buffers.js';
import { hashTask, openTask, sealTask } from './chunk-tasks.js';
import { ingestTask, scanFileTask, scanKeptTask } from './dicom-tasks.js';
import { failureOf, handedOver } from './handover.js';
import type { HashTask, IngestTask, OpenTask, Parsed, ScanFileTask, ScanKeptTask, SealTask } from './types.js';

/** @param given what was moved here with the task: nobody else has it, and this thread may not collect its garbage for a long while. */
function answer<T>(
  work: () => T,
  buffersOf: (value: T) => readonly Uint8Array[],
  given: readonly Uint8Array[] = [],
): unknown {
  let back: readonly Uint8Array[] = [];
  try {
    const value = work();
    back = buffersOf(value);
    return handedOver({ ok: true, value }, back);
  } catch (error) {
    return handedOver({ ok: false, failure: failureOf(error) }, []);
  } finally {
    for (const bytes of given.filter(({ buffer }) => !back.some((one) => one.buffer === buffer))) {
      markSole(bytes);
      releaseBuffer(bytes);
    }
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
  return answer(
    () => sealTask(task),
    ({ sealed }) => [sealed],
    [task.plaintext],
  );
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
