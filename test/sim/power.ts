/** The power of one simulated machine: its disk and its database go dark at the same operation. */
import { RollcallError } from '../../src/base/errors.ts';

export class Power {
  #operations = 0;
  #cutAt: number;
  #isOff = false;

  /** The operation of this number, counted from 1, is the last one: it may have happened in part. */
  constructor(cutAt = Number.POSITIVE_INFINITY) {
    this.#cutAt = cutAt;
  }

  /** How many changing operations were begun. */
  get operations(): number {
    return this.#operations;
  }

  get isOff(): boolean {
    return this.#isOff;
  }

  /** The power goes during the changing operation after so many more. */
  cutAfter(operations: number): void {
    this.#cutAt = this.#operations + operations + 1;
  }

  off(): void {
    this.#isOff = true;
  }

  /** Begins an operation that changes something; true when the power goes in the middle of it. */
  change(): boolean {
    this.check();
    this.#operations++;
    if (this.#operations < this.#cutAt) return false;
    this.#isOff = true;
    return true;
  }

  check(): void {
    if (this.#isOff) throw powerCut();
  }
}

export function powerCut(): RollcallError {
  return new RollcallError('storageFailed', 'The power was cut');
}
