// What is used of yazl 3; the package has no types, and no kept package has those of this version.
declare module 'yazl' {
  import type { Readable } from 'node:stream';

  interface EntryOptions {
    readonly mtime?: Date;
    readonly compress?: boolean;
    /** Bytes of the entry, where they are known. */
    readonly size?: number;
    readonly forceZip64Format?: boolean;
  }

  export class ZipFile {
    readonly outputStream: Readable;
    addReadStreamLazy(
      path: string,
      options: EntryOptions,
      open: (opened: (error: Error | null, stream: Readable) => void) => void,
    ): void;
    /** `told` gets the length of the whole, or -1 when it cannot be known. */
    end(told: (bytes: number) => void): void;
    on(event: 'error', listener: (error: Error) => void): this;
  }
}
