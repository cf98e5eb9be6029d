// What a probe finds out, in words and levels, and what it is made of.
import type { Clock, Random } from '../../core/clock.js';
import type { ObjectKey } from '../../core/ids.js';
import type { ObjectStore } from '../object-store.js';

/**
 * `ok`; `lacking`: it works without, more slowly or less safely; `warning`: to be looked into; `failed`: the archive cannot rely on the
 * store; `shown`: a fact that is not judged.
 */
export type CheckLevel = 'ok' | 'lacking' | 'warning' | 'failed' | 'shown';

export interface Check {
  readonly check: string;
  readonly level: CheckLevel;
  readonly ok: boolean;
  readonly detail: string;
}

export interface BucketFacts {
  readonly versioning: 'on' | 'off' | 'suspended' | 'unknown';
  /** In words; `unknown` where the key may not ask. */
  readonly objectLock: string;
}

/** What a bucket has beyond an object store. */
export interface BucketProbe {
  /** The same bucket, listed in pages of very few keys. */
  readonly paged: ObjectStore;
  /** The same, taken for one that honours `ifAbsent`. */
  readonly conditional: ObjectStore;
  /** The same, as one who knows the access key and not its secret sees it; to be closed. */
  withWrongSecret(): Promise<ObjectStore>;
  /** What a GET without any signature is answered. */
  unsigned(key: ObjectKey): Promise<{ readonly status: number; readonly date: string | null }>;
  facts(): Promise<BucketFacts>;
  /** The configuration locks what is put: then the bucket must be one that can. */
  readonly mustLock: boolean;
  /** Removes every version below `prefix` for good; resolves with how many it could not. */
  purge(prefix: string): Promise<number>;
  close(): Promise<void>;
}

/** Collects what the checks say. What a check throws is its failure, never the probe's. */
export class Findings {
  readonly checks: Check[] = [];

  add(check: string, level: CheckLevel, detail = ''): void {
    this.checks.push({ check, level, ok: level !== 'failed', detail });
  }

  /** Ok when `work` resolves with undefined, else what it says: a level and why. */
  async check(name: string, work: () => Promise<readonly [CheckLevel, string] | undefined>): Promise<boolean> {
    try {
      const [level, detail] = (await work()) ?? ['ok', ''];
      this.add(name, level, detail);
      return level !== 'failed';
    } catch (error) {
      this.add(name, 'failed', error instanceof Error ? error.message : String(error));
      return false;
    }
  }
}

export interface ProbeContext {
  readonly store: ObjectStore;
  readonly bucket: BucketProbe | null;
  readonly clock: Clock;
  readonly random: Random;
  readonly findings: Findings;
  /** A key of the probe's own: all lie below one prefix that nobody else has. */
  readonly key: (name: string) => ObjectKey;
  readonly prefix: string;
}
