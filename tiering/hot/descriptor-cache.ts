// Open descriptors for reading, the most recently used of them: an open costs as much as a read. A
// descriptor that is dropped is closed when its last reader is done.
import { constants } from 'node:fs';
import { LRUCache } from 'lru-cache';
import { hasCode } from '../core/errors.js';
import { type Bulkhead, untilAborted } from './bulkhead.js';
import { OpenFile } from './open-file.js';

interface Entry {
  readonly file: Promise<OpenFile>;
  readers: number;
  dropped: boolean;
}

export class DescriptorCache {
  readonly #bulkhead: Bulkhead;
  readonly #entries: LRUCache<string, Entry>;

  constructor(bulkhead: Bulkhead, filesMax: number) {
    this.#bulkhead = bulkhead;
    this.#entries = new LRUCache<string, Entry>({ max: filesMax, dispose: (entry) => drop(entry) });
  }

  /** Runs `work` on the descriptor of `path`, opened if need be. */
  async use<T>(path: string, work: (file: OpenFile) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const entry = this.#entries.get(path) ?? this.#open(path);
    entry.readers += 1;
    try {
      return await work(await untilAborted(entry.file, signal, 'open'));
    } finally {
      entry.readers -= 1;
      if (entry.dropped) drop(entry);
    }
  }

  /** Later readers open the path anew; readers in flight read on. */
  drop(path: string): void {
    this.#entries.delete(path);
  }

  clear(): void {
    this.#entries.clear();
  }

  #open(path: string): Entry {
    // O_NOFOLLOW: a volume holds no links, so one that appears there is not ours to read through.
    const file = OpenFile.open(this.#bulkhead, path, constants.O_RDONLY | constants.O_NOFOLLOW);
    const entry: Entry = { file, readers: 0, dropped: false };
    this.#entries.set(path, entry);
    file.catch((error: unknown) => {
      if (this.#entries.peek(path) === entry) this.#entries.delete(path);
      // The process is short of descriptors: give half of ours back, so that the next call finds some.
      if (hasCode(error, 'UNAVAILABLE') && /EMFILE|ENFILE/.test(error.message)) this.#halve();
    });
    return entry;
  }

  #halve(): void {
    for (let count = Math.ceil(this.#entries.size / 2); count > 0; count -= 1) this.#entries.pop();
  }
}

function drop(entry: Entry): void {
  entry.dropped = true;
  if (entry.readers > 0) return;
  entry.file.then(
    (file) => file.close(),
    () => {},
  );
}
