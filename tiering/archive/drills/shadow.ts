// The shadow studies of a drill: phantoms with UIDs of its own, marked as what they are, stored and read like any other, and deleted in the end.
import { type PhantomInstance, phantomCt } from '../../../dicom/phantom/phantom.js';
import { ArchiveError, hasCode } from '../../core/errors.js';
import { parseSeriesUid, parseSopUid, parseStudyUid, type StudyUid } from '../../core/ids.js';
import { withDeadline } from '../../core/queues.js';
import type { Archive } from '../archive.js';

const MARK = { name: 'DRILL^FILMROOM', id: 'FILMROOM-DRILL' };
const SIDE = 64;
/** phantomCt: instances of one study. */
const STUDY_INSTANCES = 400;
const STUDIES_MAX = 64;
/** What is read all the time. */
const READ_INSTANCES = 4;
const CALL_MS = 30_000;

export class Shadow {
  readonly #archive: Archive;
  readonly #seed: number;
  /** What is stored meanwhile goes to studies of its own, so that what is read can be cold. */
  #next = STUDY_INSTANCES;
  #read = 0;

  constructor(archive: Archive, seed: number) {
    this.#archive = archive;
    this.#seed = seed;
  }

  /** The study that is read. */
  get study(): StudyUid {
    return parseStudyUid(this.#instance(0).study);
  }

  /** The studies that are stored into, as far as it has come. */
  get stored(): readonly StudyUid[] {
    const last = Math.floor((this.#next - 1) / STUDY_INSTANCES);
    return Array.from({ length: last }, (_, n) => parseStudyUid(this.#instance((n + 1) * STUDY_INSTANCES).study));
  }

  async prepare(): Promise<void> {
    for (let index = 0; index < READ_INSTANCES; index += 1) await this.#store(index);
  }

  /** Stores one more. Rejects when it is not acknowledged in time. */
  async storeNext(): Promise<void> {
    const index = this.#next;
    if (index >= STUDIES_MAX * STUDY_INSTANCES) return;
    this.#next += 1;
    await this.#store(index);
  }

  /** Reads one and compares every byte. */
  async readNext(): Promise<void> {
    const instance = this.#instance(this.#read % READ_INSTANCES);
    this.#read += 1;
    await withDeadline(CALL_MS, 'a read', async (signal) => {
      const { study, series, sop } = instance;
      const record = await this.#archive.instance({
        study: parseStudyUid(study),
        series: parseSeriesUid(series),
        sop: parseSopUid(sop),
      });
      const pieces: Uint8Array[] = [];
      for await (const piece of this.#archive.read(record, undefined, signal)) pieces.push(Uint8Array.from(piece));
      if (Buffer.compare(Buffer.concat(pieces), instance.bytes) !== 0) {
        throw new ArchiveError('CORRUPT', 'a shadow instance came back with other bytes');
      }
    });
  }

  /** Deletes all of it. Idempotent; also what a drill that was killed has left. @param remove as Archive.remove, whatever has to be kept otherwise. */
  async remove(remove: Archive['remove']): Promise<void> {
    let misses = 0;
    // One that was begun may have nothing stored: the next may have.
    for (let number = 0; number < STUDIES_MAX && misses < 3; number += 1) {
      const study = parseStudyUid(this.#instance(number * STUDY_INSTANCES).study);
      try {
        await remove({ study });
        misses = 0;
      } catch (error) {
        if (!hasCode(error, 'NOT_FOUND')) throw error;
        misses += 1;
      }
    }
  }

  async #store(index: number): Promise<void> {
    await withDeadline(CALL_MS, 'a store', async (signal) => {
      const { outcome } = await this.#archive.receive(once(this.#instance(index).bytes), { signal });
      const told = await outcome;
      if (told.status === 'refused') throw new ArchiveError(told.code, told.detail);
    });
  }

  #instance(index: number): PhantomInstance {
    return phantomCt({ seed: this.#seed, index, rows: SIDE, columns: SIDE, mark: MARK });
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield Uint8Array.from(bytes);
}
