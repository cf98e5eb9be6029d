// The rows of a pack's seal: its wrapped DEK and its chunks, and the chunks under the DEK before it.
import type { Database, Statement } from 'better-sqlite3';
import type { DekWrap, PackSeal } from '../../format/types.js';

type SealRow = {
  readonly suite: number;
  readonly kek_id: string;
  readonly wrap_salt: Uint8Array;
  readonly wrapped_dek: Uint8Array;
  readonly dek_id: Uint8Array;
};

/** Packs are the rows' numbers. */
export class SealTable {
  readonly #sql: ReturnType<typeof prepare>;

  constructor(db: Database) {
    this.#sql = prepare(db);
  }

  has(pack: number): boolean {
    return this.#sql.seal.get(pack) !== undefined;
  }

  /** Puts the seal in the place of what was there. */
  write(pack: number, seal: PackSeal): void {
    this.drop(pack);
    this.#sql.addSeal.run(pack, seal.suite, seal.kekId, seal.wrapSalt, seal.wrappedDek, seal.dekId);
    for (const [number, chunk] of seal.chunks.entries()) {
      this.#sql.addChunk.run(pack, number, chunk.bytes, chunk.salt, chunk.commitment, chunk.name);
    }
  }

  drop(pack: number): void {
    this.#sql.dropSeal.run(pack);
    this.#sql.dropChunks.run(pack);
  }

  /** Whether the pack has exactly this seal, whatever its chunks are named. */
  isSame(pack: number, seal: PackSeal): boolean {
    const row = this.#sql.seal.get(pack);
    const chunks = this.#sql.chunks.all(pack);
    return (
      row !== undefined &&
      row.suite === seal.suite &&
      row.kek_id === seal.kekId &&
      Buffer.compare(row.wrap_salt, seal.wrapSalt) === 0 &&
      Buffer.compare(row.wrapped_dek, seal.wrappedDek) === 0 &&
      Buffer.compare(row.dek_id, seal.dekId) === 0 &&
      chunks.length === seal.chunks.length &&
      seal.chunks.every((chunk, at) => {
        const stored = chunks[at];
        return stored !== undefined && stored.bytes === chunk.bytes && Buffer.compare(stored.salt, chunk.salt) === 0;
      })
    );
  }

  /** Whether the pack is sealed under another DEK than this one. */
  isUnderOther(pack: number, { dekId }: Pick<PackSeal, 'dekId'>): boolean {
    const row = this.#sql.seal.get(pack);
    return row !== undefined && Buffer.compare(row.dek_id, dekId) !== 0;
  }

  /** Whether there was a seal of that DEK to wrap anew. */
  rewrap(pack: number, { kekId, wrapSalt, wrappedDek, dekId }: DekWrap & Pick<PackSeal, 'dekId'>): boolean {
    return this.#sql.rewrap.run(kekId, wrapSalt, wrappedDek, pack, dekId).changes === 1;
  }

  /** Of all chunks that have one. */
  names(pack: number): readonly string[] {
    return this.#sql.chunks.all(pack).flatMap(({ name }) => (name === null ? [] : [name]));
  }

  /** Null for a chunk without a name, undefined where there is no such chunk. */
  nameOf(pack: number, chunk: number): string | null | undefined {
    return this.#sql.chunkName.get(pack, chunk)?.name;
  }

  name(pack: number, chunk: number, name: string): void {
    this.#sql.nameChunk.run(name, pack, chunk);
  }

  /** Keeps the names of the chunks in mind, for when the pack has another seal. */
  setAside(pack: number): void {
    for (const name of this.names(pack)) this.#sql.addOldChunk.run(pack, name);
  }

  /** Forgets what was set aside, and says what it was. */
  takeOld(pack: number): readonly string[] {
    return this.#sql.takeOld.all(pack).map(({ name }) => name);
  }
}

function prepare(db: Database) {
  const prepared = <P extends unknown[], R = unknown>(sql: string): Statement<P, R> =>
    db.prepare<P, R>(sql) as Statement<P, R>;
  return {
    seal: prepared<[number], SealRow>('SELECT * FROM seals WHERE pack = ?'),
    addSeal: prepared<[number, number, string, Uint8Array, Uint8Array, Uint8Array]>(
      'INSERT INTO seals (pack, suite, kek_id, wrap_salt, wrapped_dek, dek_id) VALUES (?, ?, ?, ?, ?, ?)',
    ),
    rewrap: prepared<[string, Uint8Array, Uint8Array, number, Uint8Array]>(
      'UPDATE seals SET kek_id = ?, wrap_salt = ?, wrapped_dek = ? WHERE pack = ? AND dek_id = ?',
    ),
    dropSeal: prepared<[number]>('DELETE FROM seals WHERE pack = ?'),
    chunks: prepared<[number], { name: string | null; bytes: number; salt: Uint8Array }>(
      'SELECT name, bytes, salt FROM chunks WHERE pack = ? ORDER BY number',
    ),
    addChunk: prepared<[number, number, number, Uint8Array, Uint8Array, string | null]>(
      'INSERT INTO chunks (pack, number, bytes, salt, commitment, name) VALUES (?, ?, ?, ?, ?, ?)',
    ),
    dropChunks: prepared<[number]>('DELETE FROM chunks WHERE pack = ?'),
    chunkName: prepared<[number, number], { name: string | null }>(
      'SELECT name FROM chunks WHERE pack = ? AND number = ?',
    ),
    nameChunk: prepared<[string, number, number]>('UPDATE chunks SET name = ? WHERE pack = ? AND number = ?'),
    addOldChunk: prepared<[number, string]>('INSERT OR IGNORE INTO old_chunks (pack, name) VALUES (?, ?)'),
    takeOld: prepared<[number], { name: string }>('DELETE FROM old_chunks WHERE pack = ? RETURNING name'),
  };
}
