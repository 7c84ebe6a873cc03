/** When each revision first stood in any member's state: in true time, and in time in which somebody led. */
export class RevisionTimes {
  readonly #times: { readonly ms: number; readonly ledMs: number }[] = [];

  get newest(): number {
    return this.#times.length - 1;
  }

  saw(revision: number, ms: number, ledMs: number): void {
    while (this.#times.length <= revision) this.#times.push({ ms, ledMs });
  }

  /** Infinity for one that nobody has seen. */
  ms(revision: number): number {
    return this.#times[revision]?.ms ?? Number.POSITIVE_INFINITY;
  }

  ledMs(revision: number): number {
    return this.#times[revision]?.ledMs ?? Number.POSITIVE_INFINITY;
  }
}
