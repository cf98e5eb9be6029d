// What the archive states of itself and is held to later (drills, failbacks), signed and given to whoever keeps it.
import type { Clock, Random } from '../core/clock.js';
import { signReport } from '../format/signature.js';
import type { KeyHolder } from './keys/key-holder.js';

/** Where signed reports are kept. */
export interface ReportStore {
  /** Durable when it resolves. @param name a file's name: kind, time and a random part. */
  put(name: string, text: string): Promise<void>;
}

interface Signer {
  readonly keys: Pick<KeyHolder, 'ring'>;
  readonly clock: Clock;
  readonly random: Random;
  /** Told what could not be signed or kept, and why. */
  readonly onFailure: (detail: string) => void;
}

export class SignedReports {
  readonly #store: ReportStore | undefined;
  readonly #signer: Signer;

  constructor(store: ReportStore | undefined, signer: Signer) {
    this.#store = store;
    this.#signer = signer;
  }

  /**
   * Signs and keeps a report. Resolves with the name under which it is kept; with null when nobody keeps reports, or when it could not be
   * signed or kept, which is logged: what is reported has happened, and does not fail for want of a report.
   * @param kind lower case letters, digits, `-`: the kind of report, which its name begins with.
   * @param report anything that JSON can say; no patient data.
   */
  async save(kind: string, report: object): Promise<string | null> {
    if (this.#store === undefined) return null;
    const { keys, clock, random, onFailure } = this.#signer;
    const atMs = clock.nowMs();
    const name = `${kind}-${new Date(atMs).toISOString().replaceAll(/[-:]|\.\d+/g, '')}-${Buffer.from(random.bytes(4)).toString('hex')}.json`;
    try {
      await this.#store.put(name, await signReport({ kind, atMs, report }, keys.ring, random));
      return name;
    } catch (error) {
      onFailure(`${name}: ${error instanceof Error ? error.message : String(error)}`);
      return null;
    }
  }
}
