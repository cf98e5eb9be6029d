// How values cross between threads: large buffers are moved, never cloned, and only when they are
// alone in their memory; what was thrown becomes data, since a class does not survive the crossing.
import { move, transferableSymbol, valueSymbol } from 'piscina';
import { DicomError } from '../../dicom/dicom-error.js';
import { isSole } from '../../tiering/core/buffers.js';
import { ArchiveError, codeOf } from '../../tiering/core/errors.js';
import type { TaskFailure } from './types.js';

/** What a worker answers: a result, or why there is none. */
export type TaskOutcome<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly failure: TaskFailure };

/**
 * `bytes` itself when it is the whole of its memory, else a copy that is: moving a view would take its neighbours along (a
 * request's other parts, Node's shared slab), and cloning one copies them.
 */
export function alone(bytes: Uint8Array): Uint8Array {
  return isSole(bytes) ? bytes : Uint8Array.from(bytes);
}

/** The memory to move with a value, each once. All of `parts` are `alone`. */
export function transferList(parts: readonly Uint8Array[]): ArrayBuffer[] {
  return [...new Set(parts.map((part) => part.buffer as ArrayBuffer))];
}

/** What was thrown, as data. Foreign errors keep their message to themselves: it may quote what was parsed. */
export function failureOf(error: unknown): TaskFailure {
  if (error instanceof DicomError) {
    return { code: error.code, message: error.message, fault: error.fault, identity: error.identity };
  }
  if (error instanceof ArchiveError) return { code: error.code, message: error.message };
  return { code: codeOf(error), message: `a worker failed: ${error instanceof Error ? error.name : typeof error}` };
}

/** An outcome as piscina takes it from a task, its buffers moved. */
export function handedOver<T>(outcome: TaskOutcome<T>, buffers: readonly Uint8Array[]): unknown {
  return move({ [transferableSymbol]: transferList(buffers), [valueSymbol]: outcome } as unknown as ArrayBuffer);
}
