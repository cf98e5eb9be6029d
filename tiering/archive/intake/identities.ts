// One SOP Instance UID, one content: the first arrival is kept, equal bytes are welcome again, other
// bytes are refused. UIDs on their way are reserved in memory before anything is written.
import { ArchiveError } from '../../core/errors.js';
import { parseSeriesUid, parseSopUid, parseStudyUid, type SopUid } from '../../core/ids.js';
import type { Index, InstanceRecord } from '../../index/index.js';
import type { InstanceIdentity } from '../archive.js';
import type { Ends, InstanceContent } from './drafts.js';

interface Asked {
  readonly sop: SopUid;
  readonly resolve: (known: InstanceRecord | undefined) => void;
  readonly reject: (error: unknown) => void;
}

export class Identities {
  readonly #index: Index;
  readonly #asked: Asked[] = [];
  #asking = false;
  readonly #onTheirWay = new Map<SopUid, Promise<void>>();

  constructor(index: Index) {
    this.#index = index;
  }

  /**
   * Runs `commit` if the UID is free, or if `endOf`, which is asked of equal bytes, gives what ends them as these are stored; resolves with whether equal bytes
   * were there already (then `commit` is not run). CONFLICT when the UID is taken by other bytes; or what `commit` throws.
   */
  async reserve(
    instance: InstanceIdentity,
    commit: (ends: Ends) => Promise<void>,
    endOf: (known: InstanceRecord) => Promise<Ends>,
  ): Promise<boolean> {
    for (let earlier = this.#onTheirWay.get(instance.sop); earlier !== undefined; ) {
      await earlier;
      earlier = this.#onTheirWay.get(instance.sop);
    }
    let done: () => void = () => undefined;
    this.#onTheirWay.set(
      instance.sop,
      new Promise<void>((resolve) => {
        done = resolve;
      }),
    );
    try {
      const known = await this.#known(instance.sop);
      if (known !== undefined && known.sha256 !== instance.sha256) {
        throw new ArchiveError(
          'CONFLICT',
          'an instance with this SOP Instance UID and other content is stored already; the first is kept',
        );
      }
      const ends = known === undefined ? null : await endOf(known);
      if (known !== undefined && ends === null) return true;
      await commit(ends);
      return false;
    } finally {
      this.#onTheirWay.delete(instance.sop);
      done();
    }
  }

  /** Runs `work` while nothing is stored under any of these UIDs. All are taken at one moment, so that two of these never wait for each other. */
  async hold<T>(sops: readonly SopUid[], work: () => Promise<T>): Promise<T> {
    for (;;) {
      const earlier = sops.flatMap((sop) => this.#onTheirWay.get(sop) ?? []);
      if (earlier.length === 0) break;
      await Promise.all(earlier);
    }
    let done: () => void = () => undefined;
    const until = new Promise<void>((resolve) => {
      done = resolve;
    });
    for (const sop of sops) this.#onTheirWay.set(sop, until);
    try {
      return await work();
    } finally {
      for (const sop of sops) this.#onTheirWay.delete(sop);
      done();
    }
  }

  /** What is stored under a UID. Whoever asks while a question is on its way shares the next one: a thread's wake-up costs more than a look. */
  #known(sop: SopUid): Promise<InstanceRecord | undefined> {
    return new Promise((resolve, reject) => {
      this.#asked.push({ sop, resolve, reject });
      if (!this.#asking) void this.#ask();
    });
  }

  async #ask(): Promise<void> {
    this.#asking = true;
    while (this.#asked.length > 0) {
      const batch = this.#asked.splice(0);
      try {
        const known = await this.#index.lookup(batch.map(({ sop }) => sop));
        for (const { sop, resolve } of batch) resolve(known.get(sop));
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.#asking = false;
  }
}

/** The identity of parsed content, its UIDs checked once more on their way in. */
export function identityOf(content: InstanceContent): InstanceIdentity {
  return {
    study: parseStudyUid(content.parsed.studyUid),
    series: parseSeriesUid(content.parsed.seriesUid),
    sop: parseSopUid(content.parsed.sopUid),
    sopClass: content.parsed.sopClassUid,
    sha256: content.sha256,
  };
}
