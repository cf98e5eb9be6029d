// What a drill is asked, what it would cost, and what it found.
import type { ErrorCode } from '../../core/errors.js';
import type { ReplicaName, VolumeName } from '../../core/ids.js';

/**
 * `link`: the line to one replica, or to all of them, is cut: nothing comes back. `brown-out`: it is slow but alive. `index`: it is made again from the
 * replicas beside the live one, and compared.
 */
export const DRILL_KINDS = ['volume', 'replica', 'link', 'brown-out', 'index'] as const;
export type DrillKind = (typeof DRILL_KINDS)[number];
/** Those of a line, which without a name are of all. */
export const LINE_DRILLS: readonly DrillKind[] = ['link', 'brown-out'];

export interface DrillRequest {
  readonly what: DrillKind;
  /** Null: the only volume; the replica whose drill is longest ago; of a line every replica. Without meaning for `index`. */
  readonly name: VolumeName | ReplicaName | null;
  /** How long the failure lasts; of `index`, how long it may take at most. */
  readonly forMs: number;
  /** Although something speaks against it. */
  readonly anyway: boolean;
}

/** A drill that is held by itself, so long after the last one of its kind and name. */
export interface DrillSchedule extends Omit<DrillRequest, 'anyway'> {
  readonly everyMs: number;
}

export interface DrillPlan {
  readonly what: DrillKind;
  readonly name: string | null;
  /** What cannot be read meanwhile: it has no copy elsewhere. Null where nothing is taken away. */
  readonly exposed: { readonly packs: number; readonly instances: number; readonly bytes: number } | null;
  /** What speaks against it now; it is refused unless `anyway`. */
  readonly objections: readonly string[];
}

export interface Tried {
  readonly tried: number;
  readonly failed: number;
  readonly slowestMs: number;
}

export interface DrillReport {
  readonly what: DrillKind;
  readonly name: string | null;
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  readonly seconds: number;
  /** `interrupted`: cancelled, or the server ended in the middle. */
  readonly outcome: 'passed' | 'failed' | 'interrupted';
  /** What would have been lost had it been real and for good: that alone had a copy. */
  readonly rpo: { readonly instances: number; readonly bytes: number; readonly oldestAgeSeconds: number | null };
  /** Milliseconds: from the failure to when it was noticed, to the end of the first good read and store that began after it; from its end until all was as before. Null: not seen. */
  readonly rto: {
    readonly detectedMs: number | null;
    readonly firstReadMs: number | null;
    readonly firstStoreMs: number | null;
    readonly recoveredMs: number | null;
  };
  /** While it lasted. */
  readonly reads: Tried;
  readonly stores: Tried;
  /** Of `index`: what was compared. */
  readonly compared: { readonly studies: number; readonly instances: number; readonly different: number } | null;
  /** Name of the signed report; null where none is kept. */
  readonly report: string | null;
  readonly failures: readonly { readonly item: string; readonly code: ErrorCode; readonly detail: string }[];
}

/** The last one of each kind and name. */
export type DrillResult = Pick<DrillReport, 'what' | 'name' | 'startedAt' | 'outcome' | 'rto' | 'report'>;

export const NOTHING_TRIED: Tried = { tried: 0, failed: 0, slowestMs: 0 };
