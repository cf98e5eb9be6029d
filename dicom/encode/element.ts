// A data set as it is written: what readers of PS3.18 JSON and Native DICOM Model XML make, what phantoms are drawn as, and what the
// writers of Part 10 and of XML take.

export type DataSet = readonly Element[];

/** One element; `undefined`, '' and an empty list are written with no value. */
export interface Element {
  /** `gggg << 16 | eeee`, unsigned. */
  readonly tag: number;
  readonly vr: string;
  /** Numbers may be given as text, so that they keep the digits that they were written with. Person names are PS3.5 text: `A^B=C=D`. */
  readonly value:
    | string
    | readonly string[]
    | number
    | readonly number[]
    | Uint8Array
    | Items
    | BulkReference
    | undefined;
}

/** The value of an SQ. */
export interface Items {
  readonly items: readonly DataSet[];
  /** Written with undefined lengths and delimiters, as many modalities do. */
  readonly delimited?: boolean;
}

/** A value that lies elsewhere. The name is only ever compared, never fetched. */
export interface BulkReference {
  readonly uri: string;
}

export function element(tag: number, vr: string, value: Element['value']): Element {
  return { tag, vr, value };
}

/** A sequence of items. */
export function sequence(tag: number, items: readonly DataSet[], delimited = false): Element {
  return { tag, vr: 'SQ', value: { items, delimited } };
}

export function isItems(value: Element['value']): value is Items {
  return typeof value === 'object' && 'items' in value;
}

export function isBulkReference(value: Element['value']): value is BulkReference {
  return typeof value === 'object' && 'uri' in value;
}

/** The elements in ascending order of their tags. */
export function inOrder(elements: DataSet): DataSet {
  const sorted = elements.every((one, at) => at === 0 || (elements[at - 1]?.tag ?? 0) < one.tag);
  return sorted ? elements : elements.toSorted((a, b) => a.tag - b.tag);
}
