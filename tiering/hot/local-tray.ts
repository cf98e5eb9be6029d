// The appender of one tray of a local volume.
import type { PackId } from '../core/ids.js';
import type { FileAppender } from './file-appender.js';
import type { TrayAppender } from './volume.js';

export class LocalTray implements TrayAppender {
  readonly id: PackId;
  readonly #appender: FileAppender;
  readonly #onClose: () => void;

  constructor(id: PackId, appender: FileAppender, onClose: () => void) {
    this.id = id;
    this.#appender = appender;
    this.#onClose = onClose;
  }

  get bytes(): number {
    return this.#appender.bytes;
  }

  append(pieces: readonly Uint8Array[]): Promise<number> {
    return this.#appender.append(pieces);
  }

  sync(): Promise<void> {
    return this.#appender.sync();
  }

  async close(): Promise<void> {
    this.#onClose();
    await this.#appender.close();
  }
}
