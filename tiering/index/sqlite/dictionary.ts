// Small integers for texts that repeat in millions of rows, remembered by the writer.
import type { Database, Statement } from 'better-sqlite3';

const REMEMBERED_MAX = 10_000;

export class Dictionary {
  readonly #known = new Map<string, number>();
  readonly #find: Statement<[string], { id: number }>;
  readonly #add: Statement<[string]>;

  constructor(db: Database, table: 'uids' | 'replicas', column: 'uid' | 'name') {
    this.#find = db.prepare(`SELECT id FROM ${table} WHERE ${column} = ?`);
    this.#add = db.prepare(`INSERT INTO ${table} (${column}) VALUES (?)`);
  }

  idOf(text: string): number {
    const known = this.#known.get(text);
    if (known !== undefined) return known;
    const id = this.#find.get(text)?.id ?? Number(this.#add.run(text).lastInsertRowid);
    if (this.#known.size >= REMEMBERED_MAX) this.#known.clear();
    this.#known.set(text, id);
    return id;
  }

  forget(): void {
    this.#known.clear();
  }
}
