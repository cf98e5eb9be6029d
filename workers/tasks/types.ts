// What crosses between the main thread and the workers. Buffers are transferred both ways, never
// cloned; errors travel as data, since a class does not survive the crossing.
import type { ByteRange, DicomFault, ParsedInstance } from '../../dicom/instance.js';
import type { KeptBytes } from '../../dicom/kept-bytes.js';
import type { ErrorCode } from '../../tiering/core/errors.js';
import type { ObjectKey, PackId, Sha256 } from '../../tiering/core/ids.js';

export interface TaskFailure {
  readonly code: ErrorCode;
  readonly message: string;
  /** Set when the failure is of the DICOM bytes. */
  readonly fault?: DicomFault;
  /** As far as the refused bytes could be read; both have passed the UID grammar. */
  readonly identity?: { readonly sopUid?: string; readonly sopClassUid?: string };
}

export type Parsed =
  | {
      readonly ok: true;
      readonly instance: Omit<ParsedInstance, 'json' | 'layout'>;
      readonly metadata: Uint8Array;
      readonly layout: string;
    }
  | { readonly ok: false; readonly failure: TaskFailure };

/** Parse and hash one whole instance. `bytes` comes back, so that the caller can write it. */
export interface IngestTask {
  readonly bytes: Uint8Array;
}
export interface IngestResult {
  readonly bytes: Uint8Array;
  readonly sha256: Sha256;
  readonly parsed: Parsed;
}

/** Parse an instance that lies in a file at `[start, end)`, reading only what is needed. Hashes nothing. */
export interface ScanFileTask {
  readonly path: string;
  readonly start: number;
  readonly end: number;
}

/** Parse an instance of which only some bytes were kept; they are copied, not moved, since it may be asked again with more. */
export type ScanKeptTask = KeptBytes;
export type ScanKeptResult = { readonly parsed: Parsed } | { readonly missing: ByteRange };

/** Where a member lies in the bytes that are given, and what it must hash to. */
export interface MemberRange {
  readonly start: number;
  readonly end: number;
  readonly sha256: Sha256;
}

/** Seal one chunk; checks the SHA-256 of members that lie wholly inside of it first (CORRUPT names the member's range). */
export interface SealTask {
  readonly plaintext: Uint8Array;
  readonly pack: PackId;
  readonly chunk: number;
  readonly suite: number;
  readonly dek: Uint8Array;
  readonly dekId: Uint8Array;
  readonly salt: Uint8Array;
  /** Offsets within the plaintext. */
  readonly members: readonly MemberRange[];
}
export interface SealResult {
  readonly sealed: Uint8Array;
  readonly name: ObjectKey;
}

/** Open the segments of one chunk that cover plaintext `[start, end)`; `bytes` begins at the segment that holds `start`. */
export interface OpenTask {
  readonly bytes: Uint8Array;
  readonly pack: PackId;
  readonly chunk: number;
  readonly suite: number;
  readonly chunkBytes: number;
  readonly dek: Uint8Array;
  readonly dekId: Uint8Array;
  readonly salt: Uint8Array;
  readonly commitment: Uint8Array;
  readonly start: number;
  readonly end: number;
  /** What to hash in the plaintext, by their place in it; none when the tags are enough. */
  readonly members: readonly MemberRange[];
}
export interface OpenResult {
  /** The plaintext, in the memory of what was given. */
  readonly bytes: Uint8Array;
  /** The first member that does not have its SHA-256. No error of the chunk: what is authentic and yet wrong was sealed so, and no other replica has it better. */
  readonly unlike: MemberRange | null;
}

export interface HashTask {
  readonly bytes: Uint8Array;
}
export interface HashResult {
  readonly bytes: Uint8Array;
  readonly sha256: Sha256;
}
