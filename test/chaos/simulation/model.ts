// What must be true, in the plainest way: of each instance which contents it may have now. One possibility: it was acknowledged, and nothing else
// will do. Several: a call was cut off or failed, and nobody was told how it ended.
import type { SopUid, StudyUid } from '../../../tiering/core/ids.js';
import { otherOf, type Sample, STUDIES } from './samples.js';

/** Which bytes live under a SOP Instance UID; null: none. */
export type Content = Sample['version'] | null;

interface Known {
  readonly sample: Sample;
  may: Set<Content>;
  /** Calls that change it and are under way. */
  changing: number;
  /** Rises whenever anything is done to it. */
  changes: number;
  /** Deletes of it that only the index has, as far as their answers said. */
  lightlyDeleted: Content[];
}

export class Model {
  readonly instances: ReadonlyMap<SopUid, Known>;
  /** Studies under legal hold; undefined: nobody was told. */
  readonly holds = new Map<StudyUid, boolean | undefined>();

  constructor() {
    this.instances = new Map(
      STUDIES.flat().map((sample) => [
        sample.sop,
        { sample, may: new Set([null]), changing: 0, changes: 0, lightlyDeleted: [] },
      ]),
    );
  }

  of(sop: SopUid): Known {
    const known = this.instances.get(sop);
    if (known === undefined) throw new Error('no instance of this history');
    return known;
  }

  /** The one thing that it is; undefined when that is not known. */
  certain(sop: SopUid): Content | undefined {
    const { may, changing } = this.of(sop);
    const [only] = may;
    return may.size === 1 && changing === 0 ? only : undefined;
  }

  began(sop: SopUid): void {
    const known = this.of(sop);
    known.changing += 1;
    known.changes += 1;
  }

  ended(sop: SopUid): void {
    const known = this.of(sop);
    known.changing -= 1;
    known.changes += 1;
  }

  /** It was acknowledged. */
  is(sop: SopUid, content: Content): void {
    const known = this.of(sop);
    known.may = new Set([content]);
    known.lightlyDeleted = [];
  }

  /** A call that would have made it so did not say how it ended. */
  maybe(sop: SopUid, content: Content): void {
    this.of(sop).may.add(content);
  }

  /** A delete was acknowledged that too few replicas know of: with the index it may be lost. */
  deletedLightly(sop: SopUid, before: ReadonlySet<Content>): void {
    this.of(sop).lightlyDeleted = [...before];
  }

  /** The index is gone, and with it what nobody else knew. */
  indexLost(): void {
    for (const known of this.instances.values()) {
      for (const content of known.lightlyDeleted) known.may.add(content);
    }
    for (const study of this.holds.keys()) this.holds.set(study, undefined);
  }
}

export function bytesOf(sample: Sample, content: Sample['version']): Uint8Array {
  const which = content === 0 ? sample : otherOf(sample);
  if (which === undefined) throw new Error('it has no other version');
  return which.bytes;
}
