// Who waits for bytes from the replicas just now: the background looks here before it takes more of the line.

export class Viewers {
  #reading = 0;

  /** Whether somebody reads something cold. */
  get waiting(): boolean {
    return this.#reading > 0;
  }

  /** One more does, until what this gives is called. */
  begin(): () => void {
    this.#reading += 1;
    let ended = false;
    return () => {
      if (!ended) this.#reading -= 1;
      ended = true;
    };
  }
}
