// One WebAssembly library in one thread: loaded at first use, and thrown away with all of its memory when it may not be
// sound any more. A trap leaks what the call had (after 40 to 60 of them one library never came back), and memory never shrinks.
import { ArchiveError } from '../../tiering/core/errors.js';
import { corruptFrame } from './codec-error.js';

const MEMORY_BYTES_KEPT = 256 * 1024 * 1024;

/**
 * Options of an Emscripten module: it writes to the console unless it is told where to. A module becomes of its options object: never the same one
 * twice.
 */
export function quiet(line: (text: string) => void = () => {}) {
  return { print: line, printErr: line };
}

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
      const outcome = this.#attempt(() => work(library));
      sound = outcome.sound && this.#memoryBytes(library) <= MEMORY_BYTES_KEPT;
      if (outcome.ok) return outcome.value;
      throw outcome.error;
    } finally {
      if (!sound && this.#loaded === loaded) this.#loaded = undefined;
    }
  }

  /** Sound is what came to its own end: with a result, or with what the code around the library found wrong in it. */
  #attempt<R>(work: () => R): { sound: boolean } & ({ ok: true; value: R } | { ok: false; error: ArchiveError }) {
    try {
      return { ok: true, sound: true, value: work() };
    } catch (error) {
      if (error instanceof ArchiveError) return { ok: false, sound: true, error };
      // Emscripten throws a number for a C++ exception that has been unwound in order.
      const sound = typeof error === 'number';
      return { ok: false, sound, error: corruptFrame(`${this.#name} refused it`, error) };
    }
  }
}
