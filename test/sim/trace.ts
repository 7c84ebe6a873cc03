/**
 * What happened, twice: a running hash over every event, by which two runs of one seed are compared,
 * and, for a replay, lines to read.
 */
import { formatId } from '../../src/base/bytes.ts';

const float = new Float64Array(1);
const words = new Uint32Array(float.buffer);

/** So many events are the beginning of a run. */
export const beginningEvents = 5000;

export class Trace {
  #a = 0x9368e53c;
  #b = 0x586dcd20;
  #events = 0;
  #hashOfBeginning: string | null = null;
  /** Takes the lines; null when nobody reads them. */
  readonly #write: ((line: string) => void) | null;
  readonly #now: () => number;

  constructor(now: () => number, write: ((line: string) => void) | null) {
    this.#now = now;
    this.#write = write;
  }

  get hash(): string {
    return formatId(this.#a >>> 0, this.#b >>> 0);
  }

  get hashOfBeginning(): string {
    return this.#hashOfBeginning ?? this.hash;
  }

  mix(word: number): void {
    this.#a = Math.imul(this.#a ^ word, 0xcc9e2d51);
    this.#a ^= this.#a >>> 15;
    this.#b = Math.imul(this.#b + this.#a + word, 0x1b873593);
    this.#b ^= this.#b >>> 13;
  }

  /** An event happened at this time. */
  mixEvent(ms: number): void {
    float[0] = ms;
    this.mix(words[0] as number);
    this.mix(words[1] as number);
    if (++this.#events === beginningEvents) this.#hashOfBeginning = this.hash;
  }

  /** The text is made only for a reader. */
  say(who: string, text: () => string): void {
    if (this.#write === null) return;
    this.#write(`${this.#now().toFixed(2).padStart(10)} ${who.padEnd(8)} ${text()}`);
  }
}
