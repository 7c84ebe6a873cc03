/**
 * A disk that has not finished a write for long, or a read of the log for a follower, makes its node unfit
 * to lead: what it leads waits for it. Such a node hands over and does not campaign until the disk is through.
 */
export class DiskWatch {
  readonly #stallMs: number;
  readonly #pendingMs: () => number;
  #isStalled = false;

  /** `pendingMs` says for how long the append or read that is out has been out. */
  constructor(stallMs: number, pendingMs: () => number) {
    this.#stallMs = stallMs;
    this.#pendingMs = pendingMs;
  }

  get isStalled(): boolean {
    return this.#isStalled;
  }

  /** To be called now and then. */
  look(): void {
    const pendingMs = this.#pendingMs();
    // A disk that is only slow ends its stall with a quick write, not with the first one that ends.
    this.#isStalled = pendingMs > (this.#isStalled ? this.#stallMs / 10 : this.#stallMs);
  }
}
