// Hashing, sealing and opening: the same functions run in a worker or, for small inputs, inline.
import { hash } from 'node:crypto';
import { ArchiveError } from '../../tiering/core/errors.js';
import { parseSha256, type Sha256 } from '../../tiering/core/ids.js';
import { openSegments, sealChunk, sealedBytes } from '../../tiering/format/chunk.js';
import { chunkName } from '../../tiering/format/names.js';
import type { HashResult, HashTask, MemberRange, OpenResult, OpenTask, SealResult, SealTask } from './types.js';

/** CORRUPT when a member does not have its SHA-256: damage is never sealed and sent on. */
export function sealTask(task: SealTask): SealResult {
  checkMembers(task.plaintext, task.members, `chunk ${task.chunk} of pack ${task.pack}`);
  const { sealed } = sealChunk({ ...task, ...roomBehind(task.plaintext) });
  return { sealed, name: chunkName(sha256Of(sealed)) };
}

/** Its memory is the task's own, all of it: what is sealed takes the place of the plaintext where there is room. */
function roomBehind({ buffer, byteOffset, length }: Uint8Array): { readonly target?: Uint8Array } {
  const bytes = sealedBytes(length);
  return byteOffset + bytes <= buffer.byteLength ? { target: new Uint8Array(buffer, byteOffset, bytes) } : {};
}

/** Errors as openSegments: WRONG_KEY, CORRUPT, NOT_SUPPORTED. */
export function openTask(task: OpenTask): OpenResult {
  const bytes = openSegments(task);
  return { bytes, unlike: firstUnlike(bytes, task.members) ?? null };
}

export function hashTask(task: HashTask): HashResult {
  return { bytes: task.bytes, sha256: sha256Of(task.bytes) };
}

function checkMembers(bytes: Uint8Array, members: readonly MemberRange[], where: string): void {
  const unlike = firstUnlike(bytes, members);
  if (unlike === undefined) return;
  const { start, end } = unlike;
  throw new ArchiveError('CORRUPT', `bytes [${start}, ${end}) of ${where} do not have the SHA-256 of their member`);
}

function firstUnlike(bytes: Uint8Array, members: readonly MemberRange[]): MemberRange | undefined {
  return members.find(({ start, end, sha256 }) => sha256Of(bytes.subarray(start, end)) !== sha256);
}

function sha256Of(bytes: Uint8Array): Sha256 {
  return parseSha256(hash('sha256', bytes));
}
