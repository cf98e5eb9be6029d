// The hot boundary: one local directory (one file system, one array) of trays and packs.
// Contract suite: test/contract/volume.ts. Implementation: hot/local-volume.ts.
import type { PackId, VolumeName } from '../core/ids.js';
import type { PackKind } from '../format/types.js';

/** A file of a volume. Its path follows from these two alone: nothing of DICOM is ever part of a path. */
export interface PackRef {
  readonly id: PackId;
  readonly kind: PackKind;
}

export interface VolumeUsage {
  readonly bytesTotal: number;
  readonly bytesFree: number;
}

/**
 * Every method rejects with ArchiveError:
 * UNAVAILABLE for EIO, EROFS, ENODEV, ESTALE, EACCES, a missing or foreign identity file, a hung call, or a volume at its
 * cap of calls in flight; FULL for ENOSPC and EDQUOT; ABSENT for a file that is not there on a volume that is;
 * CORRUPT for a file shorter than asked. A call that hangs rejects at its deadline and its buffer is abandoned, never
 * reused. A signal stops the waiting, not the system call.
 */
export interface Volume {
  readonly name: VolumeName;

  /** Creates `trays/<id>.tar`, empty, durable in its directory. Exclusive: CONFLICT when it exists. Never reopens one. */
  createTray(id: PackId): Promise<TrayAppender>;

  /** Begins a pack in `tmp/`. Nothing of it is visible before `commit`. `bytesMax`, when known, is checked against free space (FULL). */
  createPack(id: PackId, bytesMax?: number): Promise<PackWriter>;

  /** Exactly the bytes `[start, end)`, in a buffer of its own. CORRUPT when the file ends before `end`. */
  read(ref: PackRef, start: number, end: number, signal?: AbortSignal): Promise<Uint8Array>;

  /** Length of the file in bytes. */
  size(ref: PackRef): Promise<number>;

  /** Makes the whole file and its name durable, whoever wrote it: a process that was killed may have left bytes that no disk has yet. */
  sync(ref: PackRef): Promise<void>;

  /** Where the file lies, for a worker that scans it in place. Says nothing of whether it is there. */
  path(ref: PackRef): string;

  /** Unlinks and makes that durable. Idempotent: an absent file is no error. Open readers read on. */
  remove(ref: PackRef): Promise<void>;

  /** Every tray or pack file, in no order, one directory's names held at a time. Foreign names are skipped. */
  list(kind: PackKind): AsyncIterable<{ readonly ref: PackRef; readonly bytes: number }>;

  usage(): Promise<VolumeUsage>;

  /** What `setGeneration` was last given, 0 before; also after a crash. What is damaged there counts as 0. */
  generation(): Promise<number>;

  /** Durable when it resolves, on a full volume too. */
  setGeneration(generation: number): Promise<void>;

  /** Checks identity, then writes, syncs, reads back and unlinks a small file. Resolves when all of it worked. */
  probe(): Promise<void>;

  /** Waits for calls in flight, closes descriptors, releases the lock. Idempotent. */
  close(): Promise<void>;
}

/** The one appender of a tray. After a failed append or sync it refuses everything but `close` (UNAVAILABLE). */
export interface TrayAppender {
  readonly id: PackId;
  /** Bytes appended so far. */
  readonly bytes: number;
  /** Appends the pieces, in order, at the end. Resolves with the offset at which the first began. Not yet durable. */
  append(pieces: readonly Uint8Array[]): Promise<number>;
  /** fdatasync: everything appended before the call is durable when it resolves. May overlap with an append. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** Writes one new pack. Exactly one of `commit` and `abort` ends it; `abort` may be called after either. */
export interface PackWriter {
  readonly id: PackId;
  /** Where the bytes are before the commit, for a worker that scans them. */
  readonly path: string;
  readonly bytes: number;
  append(pieces: readonly Uint8Array[]): Promise<number>;
  /** Bytes appended before, also after an append that failed: what was written until then may be the only copy. Not after `commit`. */
  readBack(start: number, end: number): Promise<Uint8Array>;
  /** Overwrites bytes appended before (a tar header whose size was not known yet). */
  rewrite(at: number, bytes: Uint8Array): Promise<void>;
  /** fsync, rename to `packs/<yyyy>/<mm>/<dd>/<id>.tar` (date of the id), fsync of every directory concerned. */
  commit(): Promise<void>;
  /** Removes what was written. Never rejects. */
  abort(): Promise<void>;
}
