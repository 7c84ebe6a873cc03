import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createPrng, randomBelow } from '../../src/base/prng.ts';
import { SortedMap } from '../../src/base/sorted-map.ts';

/** Everything the map can tell must be what a sorted array tells. */
function expectSame(map: SortedMap<number>, model: ReadonlyMap<string, number>, probes: string[]) {
  const sorted = [...model].sort(([left], [right]) => (left < right ? -1 : 1));
  const keys = sorted.map(([key]) => key);
  expect([...map.entries()]).toEqual(sorted);
  expect(map.size).toBe(sorted.length);
  expect(map.lastBefore(null)).toBe(sorted.at(-1)?.[1]);
  for (const from of probes) {
    expect(map.get(from)).toBe(model.get(from));
    expect(map.has(from)).toBe(model.has(from));
    expect(map.rank(from)).toBe(keys.filter((key) => key < from).length);
    expect(map.cursor(from).key).toBe(keys.find((key) => key >= from));
    const before = keys.filter((key) => key < from).at(-1);
    expect(map.lastBefore(from)).toBe(before === undefined ? undefined : model.get(before));
    expect(map.count(from, null)).toBe(keys.filter((key) => key >= from).length);
    for (const to of probes.slice(0, 5)) {
      expect(map.count(from, to)).toBe(keys.filter((key) => key >= from && key < to).length);
    }
  }
}

const anyKey = fc.oneof(
  fc.constantFrom('', '\0', '__proto__', 'constructor', '\xff', '\xff\xff', 'a', 'a\0'),
  fc
    .array(fc.integer({ min: 0, max: 255 }), { maxLength: 3 })
    .map((c) => String.fromCharCode(...c)),
);

describe('SortedMap', () => {
  test('does what a sorted array does', () => {
    const step = fc.record({ key: anyKey, value: fc.option(fc.nat(), { freq: 2 }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400, size: 'max' }), (steps) => {
        const map = new SortedMap<number>();
        const model = new Map<string, number>();
        for (const { key, value } of steps) {
          if (value === null) {
            expect(map.delete(key)).toBe(model.delete(key));
          } else {
            map.set(key, value);
            model.set(key, value);
          }
        }
        expectSame(
          map,
          model,
          steps.slice(0, 20).map(({ key }) => key),
        );
      }),
      { numRuns: 60 },
    );
  });

  test.each(['ascending', 'descending', 'shuffled'])('grows %s and shrinks again', (order) => {
    const random = createPrng(7);
    const keys = Array.from({ length: 20_000 }, (_, at) => at.toString().padStart(6, '0'));
    if (order === 'descending') keys.reverse();
    if (order === 'shuffled') shuffle(keys, random);
    const map = new SortedMap<number>();
    const model = new Map<string, number>();
    for (const [at, key] of keys.entries()) {
      map.set(key, at);
      model.set(key, at);
    }
    const probes = ['', '000000', '010000', '0100005', '019999', '9'];
    expectSame(map, model, probes);
    if (order === 'shuffled') shuffle(keys, random);
    for (const [at, key] of keys.entries()) {
      map.delete(key);
      model.delete(key);
      if (at % 4_999 === 0) expectSame(map, model, probes);
    }
    expect(map.size).toBe(0);
    expect(map.cursor().key).toBeUndefined();
  });
});

function shuffle(keys: string[], random: () => number): void {
  for (let at = keys.length - 1; at > 0; at--) {
    const other = randomBelow(random, at + 1);
    [keys[at], keys[other]] = [keys[other] as string, keys[at] as string];
  }
}
