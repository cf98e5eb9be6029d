// What a fault of the library is: a name, the real means by which it is made, what is expected of the server meanwhile, and the attempt
// itself. An attempt acts on a running server (Site) under load, and says what it saw; what must hold after every one of them
// (every byte is what it was, a deep scrub finds nothing, the server serves) is not its business but try-fault.ts's.
import type { Trial } from './trial.js';

/** The table's chapters, in its order. */
export const KINDS = {
  request: 'Hostile and broken requests',
  dicom: 'Hostile and broken DICOM',
  object: 'Objects and keys',
  cloud: 'Object stores that misbehave',
  link: 'The line to them',
  disk: 'Disks',
  index: 'The index',
  process: 'The process and its machine',
} as const;
export type Kind = keyof typeof KINDS;

/** What a machine must have for a fault; one that lacks it skips the fault by this name (needs.ts). */
export type Need = 'rgw' | 'mounts' | 'disk' | 'immutable' | 'namespaces' | 'openssl' | 'prlimit';

/** How the server is set up before it (stages.ts). */
export type StageName = 'plain' | 'patient' | 'clouds' | 'lines' | 'disks' | 'pair';

/** Requests of the load that may fail while it lasts. */
export type Allowed = 'nothing' | 'stores' | 'reads and stores';

export interface Fault {
  /** Unique; a row's first cell. */
  readonly name: string;
  /** Its number in the project's list of faults; null for one that is not in it. */
  readonly number: number | null;
  readonly kind: Kind;
  /** By what it is made. */
  readonly means: string;
  readonly expected: string;
  readonly needs: readonly Need[];
  readonly stage: StageName;
  readonly mayFail: Allowed;
  /** It needs a server of its own, that nothing else is tried at. */
  readonly alone: boolean;
  /** It ends the server and starts it again, as everything about the index and the process does too. */
  readonly restarts?: boolean;
  /** Makes it, waits until it shows, undoes it and waits until it is over. Rejects when what was expected did not happen. */
  attempt(trial: Trial): Promise<void>;
}

/** What became of one attempt. */
export interface Row {
  readonly fault: Fault;
  readonly seen: string;
  readonly failed: string;
  readonly detectMs: number | null;
  readonly recoverMs: number | null;
  /** What must not be; empty when all is as expected. */
  readonly problems: readonly string[];
  /** Why it was not tried. */
  readonly skipped: string | null;
}
