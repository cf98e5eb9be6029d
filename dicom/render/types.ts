// What rendering needs to know beside the pixels: the look that the instance itself asks for, and what the client asked.
// Plain data that crosses to a worker as it is. Types only.

/** A look-up table of PS3.3 C.11: `entries[i]` is the output for stored value `first + i`; values beside the table take its first or last entry. */
export interface LookUpTable {
  readonly first: number;
  /** Of one entry. */
  readonly bits: number;
  readonly entries: Uint16Array;
}

/** PS3.3 C.11.2.1.2 and C.11.2.1.3. */
export interface Window {
  readonly center: number;
  /** At least 1 for LINEAR, more than 0 for the others. */
  readonly width: number;
  readonly shape: 'LINEAR' | 'LINEAR_EXACT' | 'SIGMOID';
}

/** Modality transformation (C.11.1): a table, or slope and intercept; null: none. */
export type Modality = LookUpTable | { readonly slope: number; readonly intercept: number } | null;

/** From stored values to what is seen, as the instance says for one frame. */
export interface Look {
  readonly modality: Modality;
  /** VOI transformation: a table, or a window; null: from the least value of the frame to the greatest. */
  readonly voi: LookUpTable | Window | null;
  /** PALETTE COLOR (C.7.6.3.1.5); of a MONOCHROME2 image the colours of the stored values from `first` on (C.7.6.19). */
  readonly palette: readonly [LookUpTable, LookUpTable, LookUpTable] | null;
  /** Presentation LUT Shape INVERSE. That of MONOCHROME1 says nothing more than MONOCHROME1 does (C.8.11.3.1.2). */
  readonly inverse: boolean;
  /** Stored values (inclusive range) that are not image (C.7.5.1.1.2); shown as the darkest. */
  readonly padding: { readonly from: number; readonly to: number } | null;
  /** Height of a pixel over its width: 1 when square. */
  readonly aspect: number;
}

export type RenderedType = 'image/jpeg' | 'image/png' | 'image/gif' | 'image/webp';

/** PS3.18 8.3.5: what the client asked of the rendering. */
export interface RenderRequest {
  readonly mediaType: RenderedType;
  /** 1 to 100; null: the renderer's own. */
  readonly quality: number | null;
  readonly window: Window | null;
  /** The largest size of the answer, and the part of the image (in its pixels) that fills it; negative source sizes flip (8.3.5.1.3). */
  readonly viewport: {
    readonly width: number;
    readonly height: number;
    readonly source: {
      readonly x: number;
      readonly y: number;
      readonly width: number;
      readonly height: number;
    } | null;
  } | null;
  /** The profile of the image's colours, and what becomes of it: written beside them, or used to turn them into another space (8.3.5.1.5). */
  readonly profile: { readonly bytes: Uint8Array; readonly to: 'same' | 'srgb' | 'displayp3' } | null;
  /** Lines burnt in at the top left (`patient`) and top right (`technique`). */
  readonly annotation: { readonly patient: readonly string[]; readonly technique: readonly string[] } | null;
}

export interface Rendered {
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}
