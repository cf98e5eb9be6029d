// One WebAssembly library in one thread: loaded at first use, and thrown away with all of its memory when it may not be
// sound any more. A trap leaks what the call had (after 40 to 60 of them one library never came back), and memory never shrinks.
import { ArchiveError } from '../../tiering/core/errors.js';
import { corruptFrame } from './codec-error.js';

const MEMORY_BYTES_KEPT = 256 * 1024 * 1024;

/** Emscripten modules write to the console unless they are told where to. Each module becomes of its options object: never the same one twice. */
export const quiet = () => ({ print() {}, printErr() {} });

export class WasmLibrary<T> {
  readonly #name: string;
  readonly #load: () => Promise<T>;
  readonly #memoryBytes: (library: T) => number;
  #loaded: Promise<T> | undefined;

  /** @param memoryBytes how much linear memory the library has taken. */
  constructor(name: string, load: () => Promise<T>, memoryBytes: (library: T) => number) {
    this.#name = name;
    this.#load = load;
    this.#memoryBytes = memoryBytes;
  }

  /** Runs one decoding or encoding. What the library throws becomes CORRUPT, without its own words; INTERNAL when it cannot be loaded. */
  async run<R>(work: (library: T) => R): Promise<R> {
    this.#loaded ??= this.#load();
    const loaded = this.#loaded;
    let sound = false;
    try {
      const library = await loaded.catch((error: unknown) => {
        throw new ArchiveError('INTERNAL', `${this.#name} cannot be loaded`, { cause: error });
      });
      const result = this.#attempt(() => work(library));
      sound = this.#memoryBytes(library) <= MEMORY_BYTES_KEPT;
      return result;
    } finally {
      if (!sound && this.#loaded === loaded) this.#loaded = undefined;
    }
  }

  #attempt<R>(work: () => R): R {
    try {
      return work();
    } catch (error) {
      throw error instanceof ArchiveError ? error : corruptFrame(`${this.#name} refused it`, error);
    }
  }
}
