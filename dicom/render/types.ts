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
  readonly width: number;
  readonly shape: 'LINEAR' | 'LINEAR_EXACT' | 'SIGMOID';
}

/** From stored values to what is seen, as the instance says for one frame. */
export interface Look {
  /** Modality transformation (C.11.1): a table, or slope and intercept. */
  readonly modality: LookUpTable | { readonly slope: number; readonly intercept: number } | null;
  /** VOI transformation: a table, or a window; null: from the values themselves. */
  readonly voi: LookUpTable | Window | null;
  /** PALETTE COLOR (C.7.6.3.1.5). */
  readonly palette: readonly [LookUpTable, LookUpTable, LookUpTable] | null;
  /** Presentation LUT Shape INVERSE. */
  readonly inverse: boolean;
  /** Stored values (inclusive range) that are not image (C.7.5.1.1.2); shown as the darkest. */
  readonly padding: { readonly from: number; readonly to: number } | null;
  /** Height of a pixel over its width: 1 when square. */
  readonly aspect: number;
}

/** PS3.18 8.3.5: what the client asked of the rendering. */
export interface RenderRequest {
  readonly mediaType: 'image/jpeg' | 'image/png' | 'image/gif' | 'image/webp';
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
  /** Lines burnt in at the top left (`patient`) and top right (`technique`). */
  readonly annotation: { readonly patient: readonly string[]; readonly technique: readonly string[] } | null;
}

export interface Rendered {
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}
