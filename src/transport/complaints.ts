/** Remembers what was said about whom, so that a condition that lasts is told once. */
export class Complaints {
  readonly #reasons = new Map<string, string>();
  readonly #capacity: number;

  /** Beyond `capacity` keys the oldest is forgotten: strangers cannot make it grow. */
  constructor(capacity = 256) {
    this.#capacity = capacity;
  }

  /** Whether this reason is news. */
  isNews(key: string, reason: string): boolean {
    if (this.#reasons.get(key) === reason) return false;
    this.#reasons.delete(key);
    this.#reasons.set(key, reason);
    if (this.#reasons.size > this.#capacity) {
      const [oldest] = this.#reasons.keys();
      if (oldest !== undefined) this.#reasons.delete(oldest);
    }
    return true;
  }

  /** Whether there was something to forget. */
  forget(key: string): boolean {
    return this.#reasons.delete(key);
  }
}
