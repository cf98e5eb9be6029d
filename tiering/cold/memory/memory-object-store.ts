// The reference model of an object store: a Map, and the whole contract. Tests compare the others
// with it; nothing of it survives the process.
import { createHash } from 'node:crypto';
import { ArchiveError } from '../../core/errors.js';
import { type ObjectKey, parseObjectKey } from '../../core/ids.js';
import { type ByteRange, checkBody, checkRange, throwIfAborted } from '../checks.js';
import type { ObjectEntry, ObjectStore, ObjectStoreCapabilities, PutOptions } from '../object-store.js';

export class MemoryObjectStore implements ObjectStore {
  readonly capabilities: ObjectStoreCapabilities = { conditionalPut: true, verifiesSha256: true };
  readonly #objects = new Map<ObjectKey, Uint8Array>();
  #closed = false;

  async put(key: ObjectKey, body: Uint8Array, options: PutOptions = {}): Promise<void> {
    this.#admit(key, options.signal);
    checkBody(body);
    if (options.sha256 !== undefined && createHash('sha256').update(body).digest('hex') !== options.sha256) {
      throw new ArchiveError('CORRUPT', `put ${key}: the body's SHA-256 is not the one given`);
    }
    if (options.ifAbsent === true && this.#objects.has(key)) {
      throw new ArchiveError('CONFLICT', `put ${key}: the object exists already`);
    }
    // A Buffer's own slice is a view: what is stored would be the caller's memory.
    this.#objects.set(key, Uint8Array.from(body));
  }

  async get(key: ObjectKey, range?: ByteRange, signal?: AbortSignal): Promise<Uint8Array> {
    this.#admit(key, signal);
    checkRange(range);
    const body = this.#find(key);
    if (range === undefined) return body.slice();
    if (range.end > body.byteLength) {
      throw new ArchiveError(
        'CORRUPT',
        `get ${key}: ${body.byteLength} bytes do not hold [${range.start}, ${range.end})`,
      );
    }
    return body.slice(range.start, range.end);
  }

  async head(key: ObjectKey, signal?: AbortSignal): Promise<{ readonly bytes: number }> {
    this.#admit(key, signal);
    return { bytes: this.#find(key).byteLength };
  }

  async *list(
    prefix: string,
    options: { readonly after?: string; readonly signal?: AbortSignal | undefined } = {},
  ): AsyncGenerator<ObjectEntry, void, void> {
    this.#admitCall(options.signal);
    const after = options.after ?? '';
    // Keys are ASCII by their grammar, so that the order of UTF-16 units is the order of UTF-8 bytes.
    const keys = [...this.#objects.keys()].filter((key) => key.startsWith(prefix) && key > after).sort();
    for (const key of keys) {
      this.#admitCall(options.signal);
      const body = this.#objects.get(key);
      if (body !== undefined) yield { key, bytes: body.byteLength };
    }
  }

  async delete(key: ObjectKey, signal?: AbortSignal): Promise<void> {
    this.#admit(key, signal);
    this.#objects.delete(key);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#objects.clear();
  }

  #admit(key: ObjectKey, signal: AbortSignal | undefined): void {
    parseObjectKey(key);
    this.#admitCall(signal);
  }

  #admitCall(signal: AbortSignal | undefined): void {
    if (this.#closed) throw new ArchiveError('UNAVAILABLE', 'the memory store is closed');
    throwIfAborted(signal);
  }

  #find(key: ObjectKey): Uint8Array {
    const body = this.#objects.get(key);
    if (body === undefined) throw new ArchiveError('ABSENT', `no object ${key}`);
    return body;
  }
}
