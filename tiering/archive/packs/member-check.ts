// Whoever copies a pack checks each member's SHA-256 as it goes by (DESIGN section 4), so that a copy
// never spreads damage. Members that lie inside one piece can be checked by a worker; what spans a
// border is hashed here, in slices short enough that the event loop is not held.
import { createHash, type Hash } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import type { MemberRange } from '../../../workers/tasks/types.js';
import { ArchiveError } from '../../core/errors.js';
import type { PackId } from '../../core/ids.js';

/** About 140 us of SHA-256 on the kind of machine that this was measured on. */
const SLICE_BYTES = 256 * 1024;

/** Checks members of one pack whose bytes are given in order, from the first to the last. */
export class MemberCheck {
  readonly #pack: PackId;
  readonly #members: readonly MemberRange[];
  #next = 0;
  #hash: Hash | null = null;
  #at = 0;

  /** @param members ascending by start and disjoint; ranges in the pack. */
  constructor(pack: PackId, members: readonly MemberRange[]) {
    this.#pack = pack;
    this.#members = members;
  }

  /** Members that lie wholly within `[start, end)` of the pack, by their place in that range: a worker may check them, see `skipInner`. */
  innerMembers(start: number, end: number): readonly MemberRange[] {
    const inner: MemberRange[] = [];
    for (const member of this.#members) {
      if (member.start >= end) break;
      if (member.start < start || member.end > end) continue;
      inner.push({ start: member.start - start, end: member.end - start, sha256: member.sha256 });
    }
    return inner;
  }

  /**
   * Takes the next bytes of the pack. With `skipInner`, members that lie wholly inside of them are taken as checked elsewhere.
   * Throws CORRUPT, naming the range, at the first member whose hash differs.
   */
  async update(bytes: Uint8Array, options: { readonly skipInner?: boolean } = {}): Promise<void> {
    const base = this.#at;
    const end = base + bytes.length;
    for (let member = this.#members[this.#next]; member !== undefined; member = this.#members[this.#next]) {
      if (member.start >= end) break;
      const inner = member.start >= base && member.end <= end;
      if (!(inner && options.skipInner === true)) {
        const from = Math.max(member.start, base) - base;
        const to = Math.min(member.end, end) - base;
        await this.#absorb(bytes.subarray(from, to));
        if (member.end > end) break;
        this.#verify(member);
      }
      this.#next += 1;
    }
    this.#at = end;
  }

  /** Throws CORRUPT when a member was not reached. */
  finish(): void {
    const open = this.#members[this.#next];
    if (open !== undefined) throw this.#corrupt(open, 'ends before this member does');
  }

  /** CORRUPT for a member that was hashed elsewhere. @param base where the bytes begin in the pack that `member` counts from. */
  differs({ start, end, sha256 }: MemberRange, base = 0): ArchiveError {
    return this.#corrupt({ start: base + start, end: base + end, sha256 }, 'has a member whose SHA-256 differs');
  }

  async #absorb(bytes: Uint8Array): Promise<void> {
    this.#hash ??= createHash('sha256');
    for (let at = 0; at < bytes.length; at += SLICE_BYTES) {
      if (at > 0) await turn();
      this.#hash.update(bytes.subarray(at, at + SLICE_BYTES));
    }
  }

  #verify(member: MemberRange): void {
    const digest = (this.#hash ?? createHash('sha256')).digest('hex');
    this.#hash = null;
    if (digest !== member.sha256) throw this.differs(member);
  }

  #corrupt(member: MemberRange, what: string): ArchiveError {
    return new ArchiveError('CORRUPT', `pack ${this.#pack} ${what} (bytes ${member.start} to ${member.end})`);
  }
}
