// Files of the memory volume: their bytes, and the appenders that write them by the contract's rules.
import { ArchiveError } from '../core/errors.js';
import type { PackId } from '../core/ids.js';
import type { PackWriter, TrayAppender } from './volume.js';

/** Every step that a volume takes, as a fault may be told to strike it. */
export type VolumeStep =
  | 'create'
  | 'append'
  | 'sync'
  | 'commit'
  | 'read'
  | 'size'
  | 'remove'
  | 'list'
  | 'usage'
  | 'probe';

/** The bytes of one file, and how many of them are durable. */
export class Contents {
  #bytes = new Uint8Array(256);
  length = 0;
  durableLength = 0;

  write(at: number, piece: Uint8Array): void {
    const end = at + piece.length;
    if (end > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(end, this.#bytes.length * 2));
      grown.set(this.#bytes.subarray(0, this.length));
      this.#bytes = grown;
    }
    this.#bytes.set(piece, at);
    this.length = Math.max(this.length, end);
  }

  copy(start: number, end: number): Uint8Array {
    return this.#bytes.slice(start, end);
  }

  /** Zeros in place of everything from `at` on. */
  hollow(at: number): void {
    this.#bytes.fill(0, at, this.length);
  }

  /** Flips the bits of one byte: damage for a scrub to find. */
  flip(at: number): void {
    this.#bytes[at] = (this.#bytes[at] ?? 0) ^ 0xff;
  }
}

/** Appends with the poison rule of the contract. */
export class MemoryAppender {
  readonly #contents: Contents;
  readonly #allow: (step: VolumeStep, bytes: number) => void;
  #dead: string | undefined;
  /** Dead of a failure: what was written can still be read. */
  #poisoned = false;

  constructor(contents: Contents, allow: (step: VolumeStep, bytes: number) => void) {
    this.#contents = contents;
    this.#allow = allow;
  }

  get bytes(): number {
    return this.#contents.length;
  }

  append(pieces: readonly Uint8Array[]): number {
    const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
    this.attempt('append', length);
    const start = this.#contents.length;
    let at = start;
    for (const piece of pieces) {
      this.#contents.write(at, piece);
      at += piece.length;
    }
    return start;
  }

  read(start: number, end: number): Uint8Array {
    if (this.#dead !== undefined && !this.#poisoned) throw new ArchiveError('UNAVAILABLE', this.#dead);
    this.#allow('read', 0);
    if (end > this.#contents.length) throw new ArchiveError('CORRUPT', `the file ends before byte ${end}`);
    return this.#contents.copy(start, end);
  }

  rewrite(at: number, bytes: Uint8Array): void {
    if (!Number.isSafeInteger(at) || at < 0 || at + bytes.length > this.#contents.length) {
      throw new ArchiveError('INVALID', `bytes ${at}+${bytes.length} are not all written yet`);
    }
    this.attempt('append', 0);
    this.#contents.write(at, bytes);
  }

  sync(): void {
    this.attempt('sync', 0);
    this.#contents.durableLength = this.#contents.length;
  }

  end(why: string): void {
    if (this.#dead !== undefined) this.#poisoned = false;
    this.#dead ??= why;
  }

  /** Throws what the volume says to this step, and poisons the file with it. */
  attempt(step: VolumeStep, bytes: number): void {
    if (this.#dead !== undefined) throw new ArchiveError('UNAVAILABLE', this.#dead);
    try {
      this.#allow(step, bytes);
    } catch (error) {
      this.end('an earlier write failed');
      this.#poisoned = true;
      throw error;
    }
  }
}

export class MemoryTray implements TrayAppender {
  readonly id: PackId;
  readonly #appender: MemoryAppender;

  constructor(id: PackId, appender: MemoryAppender) {
    this.id = id;
    this.#appender = appender;
  }

  get bytes(): number {
    return this.#appender.bytes;
  }

  async append(pieces: readonly Uint8Array[]): Promise<number> {
    return this.#appender.append(pieces);
  }

  async sync(): Promise<void> {
    this.#appender.sync();
  }

  async close(): Promise<void> {
    this.#appender.end('the tray is closed');
  }
}

export class MemoryPack implements PackWriter {
  readonly id: PackId;
  /** No worker can open this: the simulation parses what it has in memory. */
  readonly path: string;
  readonly #appender: MemoryAppender;
  readonly #ends: { readonly commit: () => void; readonly abort: () => void };
  #committed = false;

  constructor(id: PackId, appender: MemoryAppender, ends: { readonly commit: () => void; readonly abort: () => void }) {
    this.id = id;
    this.path = `memory:${id}`;
    this.#appender = appender;
    this.#ends = ends;
  }

  get bytes(): number {
    return this.#appender.bytes;
  }

  async append(pieces: readonly Uint8Array[]): Promise<number> {
    return this.#appender.append(pieces);
  }

  async readBack(start: number, end: number): Promise<Uint8Array> {
    return this.#appender.read(start, end);
  }

  async rewrite(at: number, bytes: Uint8Array): Promise<void> {
    this.#appender.rewrite(at, bytes);
  }

  async commit(): Promise<void> {
    this.#appender.attempt('commit', 0);
    this.#appender.end('the pack is committed');
    this.#ends.commit();
    this.#committed = true;
  }

  async abort(): Promise<void> {
    if (this.#committed) return;
    this.#appender.end('the pack is aborted');
    this.#ends.abort();
  }
}
