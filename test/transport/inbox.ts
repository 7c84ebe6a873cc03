/** Collects what happens, and lets a test wait for it without guessing how long it takes. */
export class Inbox<T> {
  readonly all: T[] = [];
  readonly #waits = new Set<() => void>();

  push(value: T): void {
    this.all.push(value);
    for (const wait of this.#waits) wait();
  }

  /** Takes out the first that matches, as soon as there is one. */
  take(matches: (value: T) => boolean = () => true): Promise<T> {
    return new Promise((resolve) => {
      const look = (): void => {
        const at = this.all.findIndex(matches);
        if (at < 0) return;
        this.#waits.delete(look);
        resolve(this.all.splice(at, 1)[0] as T);
      };
      this.#waits.add(look);
      look();
    });
  }
}
