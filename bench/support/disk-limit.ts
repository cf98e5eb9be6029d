// The machine's own limit of storing: SHA-256 of each instance, write, fdatasync, in one plain Node process without HTTP, parsing,
// index or acknowledgement. Batches are as large as the product's group commit at its fullest, and are written and synced while
// the next one is hashed, since the product may do so too.
import { hash } from 'node:crypto';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { COMMIT_BYTES_MAX } from '../../tiering/core/limits.js';
import { perSecond, timed } from './measure.js';

/** Instances a second. The file lies in `dir`, which must be on the disk that the product writes to. */
export async function hashWriteSync(dir: string, instances: readonly Uint8Array[]): Promise<number> {
  const path = join(dir, 'limit.bin');
  const file = await open(path, 'wx');
  try {
    const ms = await timed(() => writeBatches(file, instances));
    return perSecond(instances.length, ms);
  } finally {
    await file.close();
    await unlink(path);
  }
}

async function writeBatches(file: FileHandle, instances: readonly Uint8Array[]): Promise<void> {
  let written: Promise<void> = Promise.resolve();
  for (const batch of batches(instances)) {
    for (const bytes of batch) hash('sha256', bytes);
    await written;
    written = file.writev(batch).then(() => file.datasync());
  }
  await written;
}

function* batches(instances: readonly Uint8Array[]): Generator<Uint8Array[]> {
  let batch: Uint8Array[] = [];
  let bytes = 0;
  for (const one of instances) {
    if (batch.length > 0 && bytes + one.length > COMMIT_BYTES_MAX) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(one);
    bytes += one.length;
  }
  if (batch.length > 0) yield batch;
}
