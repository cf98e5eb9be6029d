// One data set of a Native DICOM Model while it is read: tags once each, and private elements given back the block of their creator,
// which the model leaves out (PS3.19 table A.1.5-2).
import { type DataSet, type Element, element, inOrder } from '../encode/element.js';
import { refuse } from '../encode/read-value.js';

const BLOCK_FIRST = 0x10;
const BLOCK_LAST = 0xff;

export class XmlDataSet {
  readonly #elements = new Map<number, Element>();
  readonly #unplaced: { readonly element: Element; readonly creator: string }[] = [];

  /** `creator` is the private creator that was named beside it. INVALID for a tag that is there already. */
  add(one: Element, creator: string | null): void {
    const isPrivate = (one.tag >>> 16) % 2 === 1;
    if (isPrivate && creator !== null && (one.tag & 0xff00) === 0) this.#unplaced.push({ element: one, creator });
    else this.#put(one);
  }

  finish(): DataSet {
    if (this.#unplaced.length > 0) {
      const blocks = this.#blocks();
      for (const { element: one, creator } of this.#unplaced) {
        const block = this.#blockOf(blocks, one.tag, creator);
        this.#put({ ...one, tag: (one.tag | (block << 8)) >>> 0 });
      }
    }
    return inOrder([...this.#elements.values()]);
  }

  #put(one: Element): void {
    if (this.#elements.has(one.tag)) throw refuse(one.tag, 'two values');
    this.#elements.set(one.tag, one);
  }

  /** The first block of each creator, by group and name. */
  #blocks(): Map<string, number> {
    const blocks = new Map<string, number>();
    const creators = inOrder([...this.#elements.values()]);
    for (const { tag, value } of creators) {
      const group = tag >>> 16;
      const block = tag & 0xffff;
      if (group % 2 === 0 || block < BLOCK_FIRST || block > BLOCK_LAST || !Array.isArray(value)) continue;
      const key = `${group} ${String(value[0] ?? '')}`;
      if (!blocks.has(key)) blocks.set(key, block);
    }
    return blocks;
  }

  /** The block of `creator`; reserves the next free one when it has none (PS3.5 7.8.1). */
  #blockOf(blocks: Map<string, number>, tag: number, creator: string): number {
    const group = tag >>> 16;
    const key = `${group} ${creator}`;
    const known = blocks.get(key);
    if (known !== undefined) return known;
    for (let block = BLOCK_FIRST; block <= BLOCK_LAST; block++) {
      const reservation = ((group << 16) | block) >>> 0;
      if (this.#elements.has(reservation)) continue;
      this.#put(element(reservation, 'LO', [creator]));
      blocks.set(key, block);
      return block;
    }
    throw refuse(tag, 'a private creator for which no block is free,');
  }
}
