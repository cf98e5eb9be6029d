// The question whether a volume can still do its work, asked by doing it: write, sync, read back,
// unlink. Whether it is the right volume is the identity's question, not this one's.
import { join } from 'node:path';
import type { Random } from '../core/clock.js';
import { ArchiveError } from '../core/errors.js';
import type { Bulkhead } from './bulkhead.js';
import * as files from './files.js';

const PROBE_BYTES = 4096;

/** Resolves when all of it worked in `directory`; rejects with the error of the step that did not. */
export async function probeVolume(bulkhead: Bulkhead, directory: string, random: Random): Promise<void> {
  const written = Buffer.from(random.bytes(PROBE_BYTES));
  const path = join(directory, `probe-${written.toString('hex', 0, 8)}`);
  await bulkhead.run('probe', async (call) => {
    const fd = await files.open(path, 'wx+', 0o600);
    try {
      await files.writeFully(fd, [written], 0, call);
      await files.fsync(fd);
      const read = Buffer.alloc(PROBE_BYTES);
      await files.readFully(fd, read, 0, call);
      if (!read.equals(written)) {
        throw new ArchiveError('UNAVAILABLE', 'a probe read back other bytes than it wrote');
      }
    } finally {
      await files.close(fd);
      await files.unlink(path).catch(() => {});
    }
  });
}
