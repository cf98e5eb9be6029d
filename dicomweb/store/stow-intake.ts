// One request's instances on their way into the archive, and what became of each.
import type { DicomWarning } from '../../dicom/instance.js';
import type { Scope, StoreOutcome } from '../../tiering/archive/archive.js';
import { ArchiveError, codeOf } from '../../tiering/core/errors.js';
import type { Exchange } from '../exchange.js';

/** What is known of an instance that was refused before the archive saw it. Both UIDs have passed their grammar. */
export type Refused = StoreOutcome & { readonly status: 'refused' };

export function refused(error: unknown, instance: Refused['instance'] = {}, fault: Refused['fault'] = null): Refused {
  return {
    status: 'refused',
    instance,
    code: codeOf(error),
    fault,
    detail: error instanceof ArchiveError ? error.message : 'an unexpected fault while storing',
  };
}

export class Intake {
  readonly #exchange: Exchange;
  readonly #study: Scope['study'] | undefined;
  readonly #pending: Promise<StoreOutcome>[] = [];

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
    this.#study = exchange.target.scope?.study;
  }

  /** Takes one instance; resolves when its body is read. `warnings` are added to those that the archive has. */
  async take(body: AsyncIterable<Uint8Array>, warnings: readonly DicomWarning[] = []): Promise<void> {
    const { archive } = this.#exchange.services;
    // The signal is this part's alone, and only while it is being read: what came in whole is stored, client or not.
    const abort = new AbortController();
    const gone = () => abort.abort(this.#exchange.signal.reason);
    this.#exchange.signal.addEventListener('abort', gone, { once: true });
    try {
      const { outcome } = await archive.receive(body, { study: this.#study, signal: abort.signal });
      this.#pending.push(
        outcome.then(
          (each) => (each.status === 'refused' ? each : { ...each, warnings: [...each.warnings, ...warnings] }),
          (error: unknown) => refused(error),
        ),
      );
    } finally {
      this.#exchange.signal.removeEventListener('abort', gone);
    }
  }

  /** Notes what is not even tried. */
  refuse(outcome: Refused): void {
    this.#pending.push(Promise.resolve(outcome));
  }

  outcomes(): Promise<readonly StoreOutcome[]> {
    return Promise.all(this.#pending);
  }
}
