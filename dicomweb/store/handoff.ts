// Hands chunks from one who has them to one who reads them, one at a time: the giver waits until its chunk was taken.

/** A body that is written while it is read. */
export class Handoff implements AsyncIterable<Uint8Array> {
  #chunk: Uint8Array | null = null;
  #state: 'open' | 'ended' | 'closed' = 'open';
  #error: unknown;
  #wakeReader: () => void = () => undefined;
  #wakeWriter: () => void = () => undefined;

  /** Resolves when the reader has taken the chunk, or takes no more. */
  async push(chunk: Uint8Array): Promise<void> {
    if (this.#state !== 'open' || chunk.length === 0) return;
    this.#chunk = chunk;
    this.#wakeReader();
    await new Promise<void>((resolve) => {
      this.#wakeWriter = resolve;
    });
  }

  /** No more comes. */
  end(): void {
    if (this.#state === 'open') this.#state = 'ended';
    this.#wakeReader();
  }

  /** The reader gets `error` in place of more. */
  fail(error: unknown): void {
    this.#error ??= error;
    this.end();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, void> {
    try {
      for (;;) {
        const chunk = this.#chunk;
        if (chunk !== null) {
          this.#chunk = null;
          yield chunk;
          // Only now: the giver may use its buffer again.
          this.#wakeWriter();
        } else if (this.#state !== 'open') {
          if (this.#error !== undefined) throw this.#error;
          return;
        } else {
          await new Promise<void>((resolve) => {
            this.#wakeReader = resolve;
          });
        }
      }
    } finally {
      this.close();
    }
  }

  /** The reader takes no more: whoever waits to push goes on. */
  close(): void {
    this.#state = 'closed';
    this.#wakeWriter();
  }
}
