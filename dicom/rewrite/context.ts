// The rewriter's own stack: one context a data set, sequence or item that is open. Depth costs memory, never call stack.
import type { Encoding } from '../scan/element-header.js';

export interface Context {
  /** Null for the data set itself. */
  readonly parent: Context | null;
  /** A sequence, in which items are expected; else a data set or item, in which elements are. */
  readonly sequence: boolean;
  /** No byte of it lies at or after this. Infinity where the end is not known: of an inflated data set. */
  readonly limit: number;
  /** Undefined length: a delimiter ends it. */
  readonly open: boolean;
  readonly encoding: Encoding;
  /** Sequences open above and with this one. */
  readonly depth: number;
  /** (0028,0103) is 1: an item without its own goes by its parent's. */
  signed: boolean;
}

export function rootContext(limit: number, encoding: Encoding): Context {
  return { parent: null, sequence: false, limit, open: false, encoding, depth: 0, signed: false };
}

/** A sequence inside of `parent`, or an item when `parent` is a sequence, that ends at `end`; null: at a delimiter. */
export function childContext(parent: Context, end: number | null, encoding = parent.encoding): Context {
  const sequence = !parent.sequence;
  return {
    parent,
    sequence,
    limit: end ?? parent.limit,
    open: end === null,
    encoding,
    depth: sequence ? parent.depth + 1 : parent.depth,
    signed: parent.signed,
  };
}
