// The scanner's own stack: one context a data set, sequence or item that is open. Depth costs memory, never
// call stack.
import type { CharacterSet } from '../charset/charset.js';
import type { Encoding } from './element-header.js';

export interface Context {
  readonly parent: Context | null;
  /** A sequence, in which items are expected; else a data set or item, in which elements are. */
  readonly sequence: boolean;
  /** Of the sequence, or of the sequence that the item is in; 0 for the data set itself. */
  readonly tag: number;
  /** No byte of it lies at or after this. For an undefined length: its parent's. */
  readonly limit: number;
  /** Undefined length: a delimiter ends it. */
  readonly open: boolean;
  readonly encoding: Encoding;
  /** Sequences open above and with this one. */
  readonly depth: number;
  /** Where it began, for messages and for cutting its JSON out. */
  readonly jsonStart: number;
  /** Sequence: items so far. */
  items: number;
  /** Item: nothing was written into it yet. */
  empty: boolean;
  charset: CharacterSet;
  /** (0028,0103) is 1: an item without its own goes by its parent's. */
  signed: boolean;
  lastTag: number;
  /** Where its tags begin on the stack of tags. */
  readonly tagsFrom: number;
  /** Its tags, once one came out of order. */
  seen: Set<number> | null;
}

export function rootContext(limit: number, encoding: Encoding, charset: CharacterSet): Context {
  return {
    parent: null,
    sequence: false,
    tag: 0,
    limit,
    open: false,
    encoding,
    depth: 0,
    jsonStart: 0,
    items: 0,
    empty: true,
    charset,
    signed: false,
    lastTag: -1,
    tagsFrom: 0,
    seen: null,
  };
}

export interface ChildShape {
  readonly sequence: boolean;
  readonly tag: number;
  readonly limit: number;
  readonly open: boolean;
  readonly encoding: Encoding;
  readonly jsonStart: number;
  readonly tagsFrom: number;
}

export function childContext(parent: Context, shape: ChildShape): Context {
  return {
    parent,
    sequence: shape.sequence,
    tag: shape.tag,
    limit: shape.limit,
    open: shape.open,
    encoding: shape.encoding,
    depth: shape.sequence ? parent.depth + 1 : parent.depth,
    jsonStart: shape.jsonStart,
    items: 0,
    empty: true,
    charset: parent.charset,
    signed: parent.signed,
    lastTag: -1,
    tagsFrom: shape.tagsFrom,
    seen: null,
  };
}

/** `54000100/0/54001010`: where the element `tag` of the item `context` lies (item numbers from 0). */
export function pathOf(context: Context, tag: number): string {
  let path = hex(tag);
  for (let at: Context | null = context; at !== null && at.parent !== null; at = at.parent.parent) {
    path = `${hex(at.tag)}/${at.parent.items - 1}/${path}`;
  }
  return path;
}

function hex(tag: number): string {
  return tag.toString(16).toUpperCase().padStart(8, '0');
}
