// The Emscripten modules of @cornerstonejs ship without types: what is used of them here.

interface CodecFrameInfo {
  readonly width: number;
  readonly height: number;
  readonly bitsPerSample: number;
  readonly componentCount: number;
  readonly isSigned?: boolean;
  readonly isUsingColorTransform?: boolean;
}

/** Buffers are views of the module's memory: gone after `delete()`, and after any call that may grow the memory. */
interface CodecDecoder {
  getEncodedBuffer(length: number): Uint8Array;
  decode(): void;
  getDecodedBuffer(): Uint8Array;
  getFrameInfo(): CodecFrameInfo;
  delete(): void;
}

interface CodecEncoder {
  getDecodedBuffer(info: CodecFrameInfo): Uint8Array;
  encode(): void;
  getEncodedBuffer(): Uint8Array;
  delete(): void;
}

interface QuietOptions {
  print(text: string): void;
  printErr(text: string): void;
}

declare module '@cornerstonejs/codec-charls/wasmjs' {
  interface JpegLSDecoder extends CodecDecoder {
    /** 0: planes one after another, 1: by lines, 2: by pixels. */
    getInterleaveMode(): number;
  }
  interface JpegLSEncoder extends CodecEncoder {
    setNearLossless(error: number): void;
    setInterleaveMode(mode: number): void;
  }
  export interface CharlsModule {
    readonly HEAPU8: Uint8Array;
    readonly JpegLSDecoder: new () => JpegLSDecoder;
    readonly JpegLSEncoder: new () => JpegLSEncoder;
  }
  // biome-ignore lint/style/noDefaultExport: it is CommonJS
  export default function load(options: QuietOptions): Promise<CharlsModule>;
}

declare module '@cornerstonejs/codec-openjpeg/wasmjs' {
  interface J2KEncoder extends CodecEncoder {
    setQuality(lossless: boolean, quality: number): void;
    setDecompositions(count: number): void;
  }
  export interface OpenJpegModule {
    readonly HEAPU8: Uint8Array;
    readonly J2KDecoder: new () => CodecDecoder;
    readonly J2KEncoder: new () => J2KEncoder;
  }
  // biome-ignore lint/style/noDefaultExport: it is CommonJS
  export default function load(options: QuietOptions): Promise<OpenJpegModule>;
}

declare module '@cornerstonejs/codec-openjph/wasmjs' {
  interface HTJ2KEncoder extends CodecEncoder {
    setQuality(lossless: boolean, quality: number): void;
    /** 2: RPCL. */
    setProgressionOrder(order: number): void;
    setTLMMarker(on: boolean): void;
    setTilePartDivisionsAtResolutions(on: boolean): void;
  }
  export interface OpenJphModule {
    readonly HEAPU8: Uint8Array;
    readonly HTJ2KDecoder: new () => CodecDecoder;
    readonly HTJ2KEncoder: new () => HTJ2KEncoder;
  }
  // biome-ignore lint/style/noDefaultExport: it is CommonJS
  export default function load(options: QuietOptions): Promise<OpenJphModule>;
}
