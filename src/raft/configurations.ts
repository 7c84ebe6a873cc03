import { assert } from '../base/assert.ts';
import type { Configuration, Index } from './types.ts';

interface Step {
  /** The entry that brought the configuration; for the first step, any index at or below the log's base. */
  readonly index: Index;
  readonly configuration: Configuration;
}

/**
 * Which configuration is in force. A configuration takes effect when its entry is appended, committed
 * or not (Raft §6), and ceases to when that entry is cut off. So the configuration is a function of
 * the log; this keeps the few steps that the log in memory contains.
 *
 * Invariant: never empty, indexes ascend.
 */
export class Configurations {
  readonly #steps: Step[];

  constructor(index: Index, configuration: Configuration) {
    this.#steps = [{ index, configuration }];
  }

  get current(): Configuration {
    return this.#newest.configuration;
  }

  /** Where the current one came in, or any index at or below the log's base. */
  get currentIndex(): Index {
    return this.#newest.index;
  }

  /** The one that the entries up to `index` end with, at or above the log's base. */
  at(index: Index): Configuration {
    const step = this.#steps.findLast((one) => one.index <= index);
    assert(step !== undefined, () => `No configuration is known at ${index}`);
    return step.configuration;
  }

  append(index: Index, configuration: Configuration): void {
    assert(
      index > this.#newest.index,
      () => `Configuration at ${index} follows one at ${this.#newest.index}`,
    );
    this.#steps.push({ index, configuration });
  }

  /** Forgets what the entries from `index` on brought. */
  truncateFrom(index: Index): void {
    while (this.#steps.length > 1 && this.#newest.index >= index) this.#steps.pop();
  }

  /** Forgets what cannot come back into force, because everything up to `index` is committed. */
  compact(index: Index): void {
    let superseded = 0;
    while ((this.#steps[superseded + 1]?.index ?? Number.POSITIVE_INFINITY) <= index) superseded++;
    this.#steps.splice(0, superseded);
  }

  /** Forgets all, because the log begins anew after `index`. */
  restart(index: Index, configuration: Configuration): void {
    this.#steps.splice(0, this.#steps.length, { index, configuration });
  }

  get #newest(): Step {
    return this.#steps[this.#steps.length - 1] as Step;
  }
}
