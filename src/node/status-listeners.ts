/** Who wants to know that what a member says of itself has changed. */
export class StatusListeners {
  readonly #listeners = new Set<() => void>();

  /** Returns the way to stop listening. */
  add(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  tell(): void {
    for (const listener of this.#listeners) listener();
  }
}
