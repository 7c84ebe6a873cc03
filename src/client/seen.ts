/**
 * What the client has seen of the cluster: which incarnation, and the highest revision in it. Another
 * incarnation counts its revisions anew: it need not reach those of the one before.
 */
export class Seen {
  #incarnation = '';
  #revision = 0;
  readonly #listeners = new Set<() => void>();

  get incarnation(): string {
    return this.#incarnation;
  }

  get revision(): number {
    return this.#revision;
  }

  sawRevision(revision: number): void {
    if (revision > this.#revision) this.#revision = revision;
  }

  /** Empty: of a node that has none yet. */
  sawIncarnation(incarnation: string): void {
    if (incarnation === '' || incarnation === this.#incarnation) return;
    const isFirst = this.#incarnation === '';
    this.#incarnation = incarnation;
    if (isFirst) return;
    this.#revision = 0;
    for (const listener of this.#listeners) listener();
  }

  /** Calls back whenever one incarnation is followed by another. */
  onIncarnation(listener: () => void): void {
    this.#listeners.add(listener);
  }
}
