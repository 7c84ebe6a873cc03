import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createPrng } from '../../src/base/prng.ts';
import type { Storage } from '../../src/storage/types.ts';
import { Power } from '../sim/power.ts';
import { appendOf, entryAt, headerAt, Machine, settle } from './machine.ts';

type Step =
  | { readonly type: 'apply'; readonly writes: readonly (readonly [string, number])[] }
  | { readonly type: 'read'; readonly key: string }
  | { readonly type: 'release' }
  | { readonly type: 'restart'; readonly seed: number; readonly kind: 'cut' | 'close' };

const key = fc.constantFrom('a', 'b', '\x00', '\xfe\xff', 'long'.repeat(5));
/** Values are so many bytes; none stands for a removal. */
const write = fc.tuple(key, fc.integer({ min: 0, max: 200 }));
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant('apply' as const),
      writes: fc.array(write, { maxLength: 5 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ type: fc.constant('read' as const), key }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('release' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('restart' as const),
      seed: fc.nat(1000),
      kind: fc.constantFrom('cut' as const, 'close' as const),
    }),
  },
);

/** A storage whose batches reach Level only when they are released, and plain maps beside it. */
class Bench {
  #machine: Machine;
  #storage: Storage | null = null;
  #releases: (() => void)[] = [];
  /** The state after each applied entry; the first is the empty one. */
  readonly #states: ReadonlyMap<string, number>[] = [new Map()];
  readonly #writes: (readonly (readonly [string, number])[])[] = [];

  constructor() {
    this.#machine = new Machine(new Power(), this.#hooks());
  }

  async open(): Promise<void> {
    this.#storage = await this.#machine.open({ generationBytesMax: 200, valueCacheBytesMax: 2000 });
    const applied = this.storage.checkpoint?.applied.index ?? 0;
    await this.#expectLevel(applied);
    expect(this.storage.entries.map((entry) => entry.index)).toEqual(
      this.#writes.map((_, at) => at + 1).slice(applied),
    );
    for (let index = applied + 1; index <= this.#writes.length; index++) this.#apply(index);
  }

  async run(step: Step): Promise<void> {
    switch (step.type) {
      case 'apply':
        await this.#append(step.writes);
        return;
      case 'read':
        this.#expectRead(step.key);
        return;
      case 'release':
        this.#release();
        await settle();
        return;
      case 'restart':
        await this.#restart(step.kind, step.seed);
        return;
    }
  }

  expectAll(): void {
    for (const name of ['a', 'b', '\x00', '\xfe\xff', 'long'.repeat(5)]) this.#expectRead(name);
  }

  async #append(writes: readonly (readonly [string, number])[]): Promise<void> {
    const index = this.#writes.push(writes);
    await this.storage.append(appendOf([entryAt(index)]));
    const state = new Map(this.#states.at(-1));
    for (const [name, size] of writes) {
      if (size === 0) state.delete(name);
      else state.set(name, size);
    }
    this.#states.push(state);
    this.#apply(index);
  }

  #apply(index: number): void {
    for (const [name, size] of this.#writes[index - 1] ?? []) {
      this.storage.overlay.write(name, size === 0 ? null : new Uint8Array(size).fill(size));
    }
    this.storage.applied(() => headerAt(index));
  }

  #expectRead(name: string): void {
    const size = this.#states.at(-1)?.get(name);
    const expected = size === undefined ? null : new Uint8Array(size).fill(size);
    expect(this.storage.overlay.read(name)).toEqual(expected);
  }

  async #restart(kind: 'cut' | 'close', seed: number): Promise<void> {
    if (kind === 'close') {
      const closing = this.storage.close();
      while (!(await Promise.race([closing.then(() => true), settle().then(() => false)]))) {
        this.#release();
      }
    }
    this.#machine = this.#machine.cut('random', createPrng(seed), this.#hooks());
    this.#release();
    await settle();
    await this.open();
    if (kind === 'close') {
      expect(this.storage.checkpoint?.applied.index ?? 0).toBe(this.#writes.length);
    }
  }

  /** Level holds exactly the state at the index that its header names. */
  async #expectLevel(applied: number): Promise<void> {
    const found = new Map<string, number>();
    for await (const page of this.storage.load('', '\xff')) {
      for (const [name, bytes] of page) found.set(name, bytes.length);
    }
    const expected = [...(this.#states[applied] ?? [])].sort();
    expect([...found].sort()).toEqual(expected);
  }

  #hooks(): { beforeBatch: () => Promise<void> } {
    return { beforeBatch: () => new Promise((resolve) => this.#releases.push(resolve)) };
  }

  #release(): void {
    const releases = this.#releases;
    this.#releases = [];
    for (const release of releases) release();
  }

  get storage(): Storage {
    if (this.#storage === null) throw new Error('The storage is not open');
    return this.#storage;
  }
}

test('reads see the newest write, and Level is always the state at one index', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const bench = new Bench();
      await bench.open();
      for (const next of steps) await bench.run(next);
      bench.expectAll();
    }),
    { numRuns: 200 },
  );
});

test('a cached value does not outlive its replacement', async () => {
  const storage = await new Machine(new Power()).open({ generationBytesMax: 1 });
  await storage.append(appendOf([entryAt(1), entryAt(2)]));
  for (const value of [1, 2]) {
    storage.overlay.write('a', Uint8Array.of(value));
    storage.applied(() => headerAt(value));
    await settle();
    expect(storage.overlay.bytes).toBe(0);
    expect(storage.overlay.read('a')).toEqual(Uint8Array.of(value));
  }
});

test('the overlay counts what it holds, what was replaced included', async () => {
  const bench = new Bench();
  await bench.open();
  const { overlay } = bench.storage;
  expect(overlay.bytes).toBe(0);
  overlay.write('a', new Uint8Array(1000));
  const once = overlay.bytes;
  expect(once).toBeGreaterThan(1000);
  overlay.write('a', new Uint8Array(1000));
  expect(overlay.bytes).toBe(2 * once);
  overlay.write('a', null);
  expect(overlay.bytes).toBe(3 * once - 1000);
});
