// One frame of pixel data and what its bytes mean: the value that codecs, transcoding and rendering hand to each other.
// Types only.

/** PS3.3 C.7.6.3 and PS3.5 8: how the samples of one frame lie in its bytes. */
export interface PixelDescription {
  readonly rows: number;
  readonly columns: number;
  readonly samplesPerPixel: number;
  /** 1, 8, 16 or 32 for integers; 32 or 64 for floats. */
  readonly bitsAllocated: number;
  readonly bitsStored: number;
  readonly highBit: number;
  /** Pixel Representation 1: two's complement. */
  readonly signed: boolean;
  /** Planar Configuration 1: all of the first sample, then all of the second. */
  readonly planar: boolean;
  /** Photometric Interpretation of the bytes as they are, `RGB`, `YBR_FULL_422` ... */
  readonly photometric: string;
  /** `float` for (7FE0,0008) and (7FE0,0009). */
  readonly numbers: 'integer' | 'float';
  /**
   * Pixel Data has VR OW. It matters in big endian only, where the bytes of OW lie swapped by pairs whatever a sample has (PS3.5 7.3):
   * such a frame must begin at an even byte of the value, and one of an odd length is given with the byte behind it.
   */
  readonly words?: boolean;
}

/**
 * One whole frame in `syntax`: the fragments of an encapsulated frame joined, or the native frame's own bytes (a 1-bit frame begins at
 * bit 0). Native frames that leave a codec are little endian and labelled Explicit VR Little Endian.
 */
export interface Frame {
  readonly syntax: string;
  readonly pixels: PixelDescription;
  readonly bytes: Uint8Array;
}
