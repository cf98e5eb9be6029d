// The generation of a volume: how far the index had come when something was last done on it that an older copy of the index would not know of.
// Two places in one file, written in turn and in place, so that a full disk can still take one and a torn write leaves the other.
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { join } from 'node:path';
import type { Bulkhead, CallState } from './bulkhead.js';
import { errnoOf } from './errno.js';
import * as files from './files.js';
import { GENERATION } from './volume-paths.js';

const SLOT_BYTES = 512;
const SLOTS = 2;
const SLOT = /^(\d{16}) ([0-9a-f]{16})\n/;

/** The highest that is whole; 0 when none is: a damaged file makes no index look old. */
export function readGeneration(bulkhead: Bulkhead, root: string): Promise<number> {
  return bulkhead.run('read generation', async (call) =>
    Math.max(0, ...(await readSlots(join(root, GENERATION), call))),
  );
}

/** Durable when it resolves. */
export async function writeGeneration(bulkhead: Bulkhead, root: string, generation: number): Promise<void> {
  const path = join(root, GENERATION);
  await bulkhead.run('write generation', async (call) => {
    const slots = await readSlots(path, call);
    const fresh = slots.length === 0;
    // The place that holds less: should this write be torn, the other one still stands.
    const at = fresh || (slots[0] ?? 0) <= (slots[1] ?? 0) ? 0 : SLOT_BYTES;
    const fd = await files.open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW, 0o640);
    try {
      const pieces = fresh ? [slotOf(generation), slotOf(0)] : [slotOf(generation)];
      await files.writeFully(fd, pieces, at, call);
      await files.fsync(fd);
    } finally {
      await files.close(fd);
    }
    if (fresh) await files.syncDirectory(root);
  });
}

/** Of a volume that nobody has opened yet; 0 when it cannot be read. */
export async function peekGeneration(root: string): Promise<number> {
  return Math.max(0, ...(await readSlots(join(root, GENERATION), { abandoned: false }).catch(() => [])));
}

async function readSlots(path: string, call: CallState): Promise<readonly number[]> {
  let fd: number;
  try {
    fd = await files.open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
  try {
    const bytes = Buffer.alloc(SLOTS * SLOT_BYTES);
    await files.readFully(fd, bytes, 0, call);
    return Array.from({ length: SLOTS }, (_, n) =>
      parseSlot(bytes.toString('latin1', n * SLOT_BYTES, (n + 1) * SLOT_BYTES)),
    );
  } finally {
    await files.close(fd);
  }
}

function slotOf(generation: number): Buffer {
  const digits = String(generation).padStart(16, '0');
  const slot = Buffer.alloc(SLOT_BYTES);
  slot.write(`${digits} ${checkOf(digits)}\n`, 'latin1');
  return slot;
}

function parseSlot(text: string): number {
  const [, digits = '', check] = SLOT.exec(text) ?? [];
  return check === checkOf(digits) ? Number(digits) : 0;
}

function checkOf(digits: string): string {
  return createHash('sha256').update(`generation ${digits}`).digest('hex').slice(0, 16);
}
