import { limits } from '../base/limits.ts';
import { Refusal } from '../base/refusal.ts';

/**
 * What one command may still visit and read, so that no command holds the event loop. The same on
 * every node, since it counts keys and bytes and never time.
 */
export class Budget {
  #keys = 0;
  #values = 0;
  #valueBytes = 0;

  /** Null when the keys may be visited; they are counted then. */
  visit(keys: number): Refusal | null {
    this.#keys += keys;
    if (this.#keys <= limits.commandKeysMax) return null;
    return new Refusal(
      'tooManyKeys',
      `The command visits at least ${this.#keys} keys, at most ${limits.commandKeysMax} are allowed`,
      { limit: limits.commandKeysMax },
    );
  }

  /** Null when a value of this length may be read; it is counted then. */
  read(length: number): Refusal | null {
    this.#values++;
    this.#valueBytes += length;
    if (this.#values > limits.commandValuesMax) {
      return new Refusal(
        'tooManyKeys',
        `The command reads more than ${limits.commandValuesMax} values`,
        { limit: limits.commandValuesMax },
      );
    }
    if (this.#valueBytes <= limits.commandValueBytesMax) return null;
    return new Refusal(
      'tooManyKeys',
      `The command reads more than ${limits.commandValueBytesMax} bytes of values`,
      { limit: limits.commandValueBytesMax },
    );
  }
}
