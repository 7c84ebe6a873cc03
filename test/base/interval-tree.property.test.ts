import fc from 'fast-check';
import { expect, test } from 'vitest';
import { IntervalTree } from '../../src/base/interval-tree.ts';

const point = fc.string({
  unit: fc.constantFrom('a', 'b', 'c', '\xff'),
  minLength: 1,
  maxLength: 3,
});
const end = fc.option(point);
const step = fc.oneof(
  fc.record({ do: fc.constant('set' as const), from: point, to: end, value: fc.nat() }),
  fc.record({ do: fc.constant('delete' as const), from: point, to: end }),
);

test('it holds what a plain list holds, and finds in it what holds a point', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), fc.array(point), (steps, points) => {
      const tree = new IntervalTree<number>();
      const list = new Map<string, { from: string; to: string | null; value: number }>();
      for (const one of steps) {
        const name = JSON.stringify([one.from, one.to]);
        if (one.do === 'set') {
          tree.set(one.from, one.to, one.value);
          list.set(name, one);
        } else {
          expect(tree.delete(one.from, one.to)).toBe(list.delete(name));
        }
      }
      expect(tree.size).toBe(list.size);
      for (const { from, to, value } of list.values()) expect(tree.get(from, to)).toBe(value);
      for (const at of points) {
        const found: number[] = [];
        tree.stab(at, (value) => found.push(value));
        const expected = [...list.values()]
          .filter(({ from, to }) => from <= at && (to === null || at < to))
          .map(({ value }) => value);
        expect(found.sort()).toEqual(expected.sort());
      }
    }),
  );
});

test('a search in many disjoint intervals looks at few of them', () => {
  const tree = new IntervalTree<string>();
  const name = (number: number) => String(number).padStart(6, '0');
  for (let number = 0; number < 20_000; number++)
    tree.set(name(number), name(number + 1), name(number));
  let compared = 0;
  // Text that counts how often it is compared.
  const at = {
    toString: () => {
      compared++;
      return name(12_345);
    },
  } as unknown as string;
  const found: string[] = [];
  tree.stab(at, (value) => found.push(value));
  expect(found).toEqual([name(12_345)]);
  expect(compared).toBeLessThan(100);
});
