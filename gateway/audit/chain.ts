// The files of the audit log: one a day, JSON lines, each with the SHA-256 of the line before it, so that a line that was changed, taken out or
// put in shows. What was cut off at the very end shows against the head that the server's own log names at every start, stop and new day.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { syncDirectory } from '../../tiering/hot/files.js';

/** What stands before the first line of all. */
const NOTHING = '0'.repeat(64);
const FILE = /^audit-(\d{4}-\d{2}-\d{2})\.jsonl$/;
const DAY_MS = 24 * 3_600_000;

/** Where the chain is: the last line, its number, and the file that it is in. */
export interface Head {
  readonly file: string | null;
  readonly seq: number;
  readonly sha256: string;
}

export function hashOf(line: string): string {
  return createHash('sha256').update(line).digest('hex');
}

/** Names of the files of a folder, oldest first; empty when there is no such folder. */
export async function auditFiles(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  return names.filter((name) => FILE.test(name)).sort();
}

/** The lines of a file; what a crash left of a line at its end is one too. */
export function linesOf(path: string): AsyncIterable<string> {
  return createInterface({ input: createReadStream(path, { encoding: 'utf8' }), crlfDelay: Number.POSITIVE_INFINITY });
}

/** Appends to the chain. One at a time may write to a folder: the gateway that holds the index. */
export class Chain {
  readonly #folder: string;
  #head: Head | null = null;
  #file: FileHandle | null = null;
  /** A line may end in the middle (a crash, a disk that filled up): the next one begins on a line of its own. */
  #torn = false;

  constructor(folder: string) {
    this.#folder = folder;
  }

  get head(): Head | null {
    return this.#head;
  }

  /** Writes the records and makes them durable. Rejects with the file system's error: then none of them counts, and they may be given again. */
  async append(records: readonly object[], nowMs: number): Promise<void> {
    this.#head ??= await this.#find();
    let head = this.#head;
    const name = `audit-${new Date(nowMs).toISOString().slice(0, 10)}.jsonl`;
    if (this.#file === null || head.file !== name) await this.#open(name);
    let text = this.#torn ? '\n' : '';
    for (const record of records) {
      const seq = head.seq + 1;
      const line = JSON.stringify({ seq, prev: head.sha256, ...record });
      head = { file: name, seq, sha256: hashOf(line) };
      text += `${line}\n`;
    }
    try {
      await this.#file?.appendFile(text);
      await this.#file?.datasync();
    } catch (error) {
      // Some of it may be there: the chain goes on from what is found when it can be written again.
      await this.close();
      this.#head = null;
      throw error;
    }
    this.#torn = false;
    this.#head = head;
  }

  /** Removes files that are older than `ageMs`. */
  async expire(ageMs: number, nowMs: number): Promise<number> {
    let removed = 0;
    for (const name of await auditFiles(this.#folder)) {
      const day = Date.parse(`${FILE.exec(name)?.[1]}T00:00:00Z`);
      if (nowMs - day - DAY_MS <= ageMs || name === this.#head?.file) continue;
      await unlink(join(this.#folder, name));
      removed += 1;
    }
    return removed;
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = null;
    await file?.close().catch(() => undefined);
  }

  async #open(name: string): Promise<void> {
    await this.close();
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    this.#file = await open(join(this.#folder, name), 'a', 0o600);
    await syncDirectory(this.#folder);
  }

  /** The last whole line of the newest file that has one. */
  async #find(): Promise<Head> {
    for (const name of [...(await auditFiles(this.#folder))].reverse()) {
      const path = join(this.#folder, name);
      let last: Head | null = null;
      for await (const line of linesOf(path)) {
        const seq = seqOf(line);
        if (seq !== null) last = { file: name, seq, sha256: hashOf(line) };
      }
      this.#torn = await endsTorn(path);
      if (last !== null) return last;
    }
    return { file: null, seq: 0, sha256: NOTHING };
  }
}

function seqOf(line: string): number | null {
  try {
    const { seq } = JSON.parse(line) as { seq?: unknown };
    return typeof seq === 'number' ? seq : null;
  } catch {
    return null;
  }
}

async function endsTorn(path: string): Promise<boolean> {
  const { size } = await stat(path);
  if (size === 0) return false;
  const file = await open(path, 'r');
  try {
    const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1);
    return buffer[0] !== 0x0a;
  } finally {
    await file.close();
  }
}

export interface Verification {
  readonly files: number;
  readonly lines: number;
  /** When the first and the last line were written. */
  readonly from: string | null;
  readonly to: string | null;
  readonly head: Head | null;
  /** Lines that do not fit: where, and how. Empty: nothing was changed, taken out or put in between the first line and the head. */
  readonly problems: readonly string[];
  /** Lines that a crash cut off: they were never whole. */
  readonly torn: number;
}

const PROBLEMS_MAX = 100;

/** Reads the whole log of a folder and checks the chain. */
export async function verifyAudit(folder: string): Promise<Verification> {
  const problems: string[] = [];
  let head: Head | null = null;
  let lines = 0;
  let torn = 0;
  let from: string | null = null;
  let to: string | null = null;
  const files = await auditFiles(folder);
  for (const name of files) {
    let number = 0;
    const told = (what: string) => {
      if (problems.length < PROBLEMS_MAX) problems.push(`${name}:${number}: ${what}`);
    };
    for await (const line of linesOf(join(folder, name))) {
      number += 1;
      if (seqOf(line) === null) {
        torn += 1;
        continue;
      }
      lines += 1;
      const { seq, prev, at } = JSON.parse(line) as { seq: number; prev: string; at: string };
      if (head !== null && prev !== head.sha256) told('it does not follow the line before it');
      else if (head !== null && seq !== head.seq + 1) told(`its number is ${seq} in place of ${head.seq + 1}`);
      head = { file: name, seq, sha256: hashOf(line) };
      from ??= at;
      to = at;
    }
  }
  return { files: files.length, lines, from, to, head, problems, torn };
}
