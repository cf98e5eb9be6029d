// The memory of large buffers, which chunks of 8 MiB pass through all day: taken here, and given back at once. V8 frees array buffers when it
// collects garbage, and it collects late: each thread would hold many of them, dead. And memory that is fresh costs a page fault for every
// 4 KiB, which is as much as it costs to encrypt them: what is given back is therefore kept for the next chunk, for a moment.
import { MessageChannel } from 'node:worker_threads';
import { CHUNK_BYTES } from './limits.js';

/** Room for a chunk and for what it is sealed to: 160 bytes more, and 16 for each of its 128 segments. */
const CHUNK_ROOM_BYTES = CHUNK_BYTES + 8 * 1024;
/** What needs less has fresh memory. */
const CHUNK_ROOM_BYTES_MIN = CHUNK_ROOM_BYTES / 2;
const KEPT_MAX = 8;
/** Kept so long after the last one was taken or given back. */
const KEPT_MS = 2_000;

/** Moving a buffer into a closed port detaches it here and frees it there; 2 us. (ArrayBuffer.transfer is not in Node 20.) */
const nowhere = (() => {
  const { port1, port2 } = new MessageChannel();
  port1.close();
  port2.close();
  return port1;
})();

/** Below this the collector does well enough. */
const WORTH_IT_BYTES = 64 * 1024;

/** Memory of which one view is all that anybody has, although it is longer; and the length of that view, which begins where the memory begins. */
const soleViews = new WeakMap<ArrayBufferLike, number>();

const kept: ArrayBuffer[] = [];
let forgetting: NodeJS.Timeout | null = null;

/** `bytes` bytes of memory that is nobody else's, with whatever is in it; for about a chunk, with room for what it is sealed to. */
export function takeBuffer(bytes: number): Buffer {
  if (bytes < CHUNK_ROOM_BYTES_MIN || bytes > CHUNK_ROOM_BYTES) return Buffer.allocUnsafeSlow(bytes);
  const memory = kept.pop() ?? (Buffer.allocUnsafeSlow(CHUNK_ROOM_BYTES).buffer as ArrayBuffer);
  soleViews.set(memory, bytes);
  return Buffer.from(memory, 0, bytes);
}

/** Says that who holds `bytes`, which begins where its memory begins, holds all that is used of it. */
export function markSole({ buffer, byteOffset, byteLength }: Uint8Array): void {
  if (byteOffset === 0) soleViews.set(buffer, byteLength);
}

/** Whether the memory of `bytes` is its own, so that it can be moved or freed: no slice of Node's pool, no part of a request. */
export function isSole({ buffer, byteOffset, byteLength }: Uint8Array): boolean {
  if (!(buffer instanceof ArrayBuffer) || byteOffset !== 0) return false;
  return byteLength === buffer.byteLength || byteLength === soleViews.get(buffer);
}

/**
 * Gives back the memory behind `bytes`, whose length is 0 afterwards. Only for the last user of a buffer, and never while a system call or
 * socket may still read it: after a failed or abandoned write, leave it to the collector. Does nothing to a view of something larger.
 */
export function releaseBuffer(bytes: Uint8Array): void {
  if (bytes.length < WORTH_IT_BYTES || !isSole(bytes)) return;
  const memory = bytes.buffer as ArrayBuffer;
  if (memory.byteLength === CHUNK_ROOM_BYTES && kept.length < KEPT_MAX) keep(memory);
  else nowhere.postMessage(null, [memory]);
}

/** Under another name, so that no view of before sees what comes next. */
function keep(memory: ArrayBuffer): void {
  kept.push(structuredClone(memory, { transfer: [memory] }));
  if (forgetting === null) forgetting = setTimeout(forget, KEPT_MS).unref();
  else forgetting.refresh();
}

function forget(): void {
  forgetting = null;
  for (const memory of kept.splice(0)) nowhere.postMessage(null, [memory]);
}
