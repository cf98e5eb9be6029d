// Replicas that did not answer when the index was made again: what they alone have is in no index, and what is not found may lie there. Which they
// are is kept in the index (removal/provisional.ts); here it is told to whoever finds nothing.
export class UnreadReplicas {
  #names: readonly string[] = [];

  note(names: readonly string[]): void {
    this.#names = [...names].sort();
  }

  /** Why what is not found may be there all the same, with what to do; null when nothing can be lacking. */
  told(): string | null {
    if (this.#names.length === 0) return null;
    return `replica ${this.#names.join(', ')} did not answer when the index was rebuilt, and is read when it does: bring it back, or take it out of the configuration`;
  }
}
