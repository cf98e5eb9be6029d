// What the benchmarks store: phantom CT slices of 0.5 MiB, 400 a study, never the same one twice.
import { randomUUID } from 'node:crypto';
import { type PhantomInstance, phantomCt } from '../../dicom/phantom/phantom.js';

/** phantomCt's own numbers: 2 series of 200. */
export const STUDY_INSTANCES = 400;
const SEED = 20_261_121;

export class Corpus {
  #next = 0;

  /** The next `count` slices of an endless archive. */
  take(count: number): readonly PhantomInstance[] {
    const first = this.#next;
    this.#next += count;
    return Array.from({ length: count }, (_, at) => phantomCt({ seed: SEED, index: first + at }));
  }

  /** The next whole study. */
  study(): readonly PhantomInstance[] {
    this.#next = Math.ceil(this.#next / STUDY_INSTANCES) * STUDY_INSTANCES;
    return this.take(STUDY_INSTANCES);
  }
}

export interface StowRequest {
  readonly contentType: string;
  readonly pieces: readonly Uint8Array[];
  readonly bytes: number;
  readonly instances: number;
}

/** Store requests of `perRequest` instances each. Nothing is copied: the pieces are the instances. */
export function stowRequests(instances: readonly PhantomInstance[], perRequest: number): readonly StowRequest[] {
  const requests: StowRequest[] = [];
  for (let at = 0; at < instances.length; at += perRequest) {
    const some = instances.slice(at, at + perRequest);
    const boundary = `bench-${randomUUID()}`;
    const head = Buffer.from(`--${boundary}\r\nContent-Type: application/dicom\r\n\r\n`);
    const pieces = [
      ...some.flatMap(({ bytes }) => [head, bytes, Buffer.from('\r\n')]),
      Buffer.from(`--${boundary}--\r\n`),
    ];
    requests.push({
      contentType: `multipart/related; type="application/dicom"; boundary=${boundary}`,
      pieces,
      bytes: pieces.reduce((sum, piece) => sum + piece.length, 0),
      instances: some.length,
    });
  }
  return requests;
}
