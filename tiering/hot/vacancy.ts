// What is in the place of a volume that is missing: looked at before an operator lets an empty directory become the volume again. Writes nothing.
import { dirname, join, resolve } from 'node:path';
import { ArchiveError } from '../core/errors.js';
import { withDeadline } from '../core/queues.js';
import { errnoOf, toArchiveError } from './errno.js';
import * as files from './files.js';
import { firstForeign } from './open-volume.js';
import { IDENTITY } from './volume-paths.js';

const LOOK_MS = 10_000;

export interface Vacancy {
  readonly path: string;
  readonly bytesTotal: number;
  readonly bytesFree: number;
  /** A file system begins there. When not, the disk may not be mounted, and what is written goes to the disk of the folder above. */
  readonly mountPoint: boolean;
}

/**
 * CONFLICT when a volume lies there, whole or not; UNAVAILABLE when there is no directory, when it holds other things, or when it does not
 * answer in time.
 */
export async function lookAtVacancy(path: string): Promise<Vacancy> {
  const root = resolve(path);
  return withDeadline(LOOK_MS, root, async () => {
    try {
      const found = await files.lstat(root);
      const names = await files.readdir(root);
      if (names.includes(IDENTITY)) {
        throw new ArchiveError(
          'CONFLICT',
          `${join(root, IDENTITY)} is there: this is a volume, not an empty disk, and returns by itself or by "filmroom volume return"`,
        );
      }
      const foreign = await firstForeign(root, names);
      if (foreign !== undefined) {
        throw new ArchiveError('UNAVAILABLE', `${root} is not empty: it holds ${foreign}`);
      }
      const space = await files.statfs(root);
      return {
        path: root,
        bytesTotal: space.blocks * space.bsize,
        bytesFree: space.bavail * space.bsize,
        mountPoint: found.dev !== (await files.lstat(dirname(root))).dev,
      };
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') {
        throw new ArchiveError('UNAVAILABLE', `${root} is not there: mount the new disk first`, { cause: error });
      }
      throw toArchiveError(error, root);
    }
  });
}
