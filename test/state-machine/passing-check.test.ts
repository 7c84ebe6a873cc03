import { expect, test } from 'vitest';
import { PassingCheck } from '../../src/state-machine/passing-check.ts';
import { filled } from './filled.ts';

type Stored = readonly [key: string, bytes: Uint8Array];

const { machine, records } = filled();
const whole = records.page('', '\xff');
const damage = expect.objectContaining({ code: 'dataDamaged', details: { part: 'state' } });

function check(passing: readonly Stored[]): void {
  const passingCheck = new PassingCheck();
  for (const [key, bytes] of passing) passingCheck.take(key, bytes);
  passingCheck.finish(machine);
}

test('a whole state passes', () => {
  expect(() => check(whole)).not.toThrow();
});

test('each record that is missing, twice there or changed is damage of the state', () => {
  for (const [at, [key, bytes]] of whole.entries()) {
    expect(() => check(whole.toSpliced(at, 1))).toThrow(damage);
    expect(() => check([...whole, [key, bytes]])).toThrow(damage);
    for (const position of bytes.keys()) {
      const changed = Uint8Array.from(bytes);
      changed[position] = (changed[position] as number) ^ 1;
      expect(() => check(whole.with(at, [key, changed]))).toThrow(damage);
    }
  }
});

test('values that changed places are damage', () => {
  const values = whole.filter(([key]) => key.charCodeAt(1) === whole.at(-1)?.[0].charCodeAt(1));
  const [first, one] = values[0] as Stored;
  const [second, two] = values[1] as Stored;
  const swapped = whole.map(([key, bytes]): Stored => {
    if (key === first) return [key, two];
    return key === second ? [key, one] : [key, bytes];
  });
  expect(() => check(swapped)).toThrow(damage);
});
