// The archive as one caller may see it: some studies, some actions. A decorator below every route, so that no route can forget it: what is
// not permitted does not exist there (the same NOT_FOUND as for what was never stored), in counts and searches too.
import { ArchiveError } from '../core/errors.js';
import type { SopUid, StudyUid } from '../core/ids.js';
import type { ImageArchive } from './archive.js';

export interface Restriction {
  /** Null: all of them. */
  readonly studies: ReadonlySet<StudyUid> | null;
}

async function* nothing<T>(): AsyncGenerator<T, void, void> {}

/** In the words of the index (read-instances.ts): the two must not be told apart. */
function notFound(sop: SopUid): ArchiveError {
  return new ArchiveError('NOT_FOUND', `the archive has no instance ${sop} in that study and series`);
}

/** Of Archive.remove, for what is not there or not for the caller to see. */
export function nothingToRemove(): ArchiveError {
  return new ArchiveError('NOT_FOUND', 'the archive has nothing there to delete');
}

/** The archive itself where nothing is restricted. */
export function restrictArchive(archive: ImageArchive, { studies }: Restriction): ImageArchive {
  if (studies === null) return archive;
  const permitted = [...studies];
  return {
    receive: async (body, options) => {
      // Whose instance it is shows only after it was read, so the request itself must name the study.
      if (options?.study === undefined || !studies.has(options.study)) {
        throw new ArchiveError(
          'FORBIDDEN',
          'these credentials store into certain studies alone: send to /studies/{study} of one of them',
        );
      }
      return archive.receive(body, options);
    },
    remove: async (scope, options) => {
      if (!studies.has(scope.study)) throw nothingToRemove();
      return archive.remove(scope, options);
    },
    query: (spec, signal) => {
      const asked = spec.studies;
      const both = asked === undefined ? permitted : asked.filter((study) => studies.has(study));
      return archive.query({ ...spec, studies: both }, signal);
    },
    instances: (scope) => (studies.has(scope.study) ? archive.instances(scope) : nothing()),
    instance: async (scope) => {
      if (!studies.has(scope.study)) throw notFound(scope.sop);
      return archive.instance(scope);
    },
    metadata: (scope) => (studies.has(scope.study) ? archive.metadata(scope) : nothing()),
    async *read(instance, range, signal) {
      if (!studies.has(instance.study)) throw notFound(instance.sop);
      yield* archive.read(instance, range, signal);
    },
  };
}
