// Arrival numbers (seq): each is given once, ascending. Order comes from them and never from a clock; where they begin does, since an index that lost
// its last rows to a power cut, or was made again without a volume, does not know how far they had come.

/** No archive takes in more than so many a millisecond, so that no process before this one has come further than its clock. */
const NUMBERS_A_MS = 100;
/** Leaves room below what tombstones can say (15 digits): a clock that is set behind the year 2250 decides nothing. */
const BY_CLOCK_MAX = 9e14;

export class ArrivalNumbers {
  #last: number;

  /**
   * Begins above all that were given before: a delete that comes to light with a volume must not seem to be later than what was stored while the volume was
   * away.
   * @param highest the highest that the index knows of.
   */
  constructor(highest: number, nowMs: number) {
    const byClock = Math.floor(nowMs) * NUMBERS_A_MS;
    this.#last = byClock < BY_CLOCK_MAX ? Math.max(highest, byClock) : highest;
  }

  next(): number {
    this.#last += 1;
    return this.#last;
  }

  /** A volume that came back may hold numbers that the index did not know. */
  goOnAbove(highest: number): void {
    this.#last = Math.max(this.#last, highest);
  }
}
