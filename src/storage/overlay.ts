/**
 * The records that are not in Level yet. The newest generation takes the writes; at most one is
 * frozen, on its way into Level, and stays readable until Level has it.
 *
 * Invariant: no key of a generation is in the value cache, so nothing read from there is out of date
 * when a generation is dropped.
 */
import { assert } from '../base/assert.ts';
import { Generation } from './generation.ts';
import type { Level, LevelChange, Overlay } from './types.ts';
import { ValueCache } from './value-cache.ts';

export class GenerationOverlay implements Overlay {
  readonly #level: Level;
  readonly #cache: ValueCache;
  #newest = new Generation();
  #frozen: Generation | null = null;
  #isAtBoundary = true;

  constructor(level: Level, cacheBytesMax: number) {
    this.#level = level;
    this.#cache = new ValueCache(cacheBytesMax);
  }

  read(key: string, keep = true): Uint8Array | null {
    const newest = this.#newest.get(key);
    if (newest !== undefined) return newest;
    const frozen = this.#frozen?.get(key);
    if (frozen !== undefined) return frozen;
    const cached = this.#cache.get(key);
    if (cached !== null) return cached;
    const stored = this.#level.get(key);
    if (stored !== null && keep) this.#cache.set(key, stored);
    return stored;
  }

  write(key: string, bytes: Uint8Array | null): void {
    assert(key.charCodeAt(0) < 0xff, () => `Key of ${key.length} bytes is the storage's own`);
    this.#newest.set(key, bytes);
    if (!this.#cache.isEmpty) this.#cache.delete(key);
    this.#isAtBoundary = false;
  }

  get bytes(): number {
    return this.#newest.bytes + (this.#frozen?.bytes ?? 0);
  }

  get newestBytes(): number {
    return this.#newest.bytes;
  }

  /** Whether nothing was written since the last entry boundary. */
  get isAtBoundary(): boolean {
    return this.#isAtBoundary;
  }

  /** All writes so far belong to whole entries. */
  markBoundary(): void {
    this.#isAtBoundary = true;
  }

  /** Closes the newest generation, at an entry boundary, and returns what it changes, in order. */
  freeze(): Iterable<LevelChange> {
    assert(this.#isAtBoundary, 'Frozen within an entry');
    assert(this.#frozen === null, 'Two generations frozen');
    this.#frozen = this.#newest;
    this.#newest = new Generation();
    return this.#frozen.changes();
  }

  /** Level has the frozen generation. */
  drop(): void {
    assert(this.#frozen !== null, 'No generation is frozen');
    this.#frozen = null;
  }
}
