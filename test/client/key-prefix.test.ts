/** The keys of a namespace: what goes in names nothing outside of it. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { keyRange, type WireKeyRange } from '../../src/client/key.ts';
import { KeyPrefix, noPrefix } from '../../src/client/key-prefix.ts';
import { matches } from '../../src/mvcc/key-range.ts';

const byte = fc.constantFrom('\u0000', 'a', 'b', '\u00fe', '\u00ff');
const text = (minLength: number) =>
  fc.array(byte, { minLength, maxLength: 4 }).map((bytes) => bytes.join(''));
const range: fc.Arbitrary<WireKeyRange> = fc.record({
  key: text(1),
  rangeEnd: fc.option(fc.oneof(fc.constant('\u0000'), text(1)), { nil: null }),
});
const bytesOf = (binary: string) => Uint8Array.from(binary, (one) => one.charCodeAt(0));

describe('the prefix of a namespace', () => {
  test('keeps every range within, and all that it names in it', () => {
    const run = (prefix: string, wanted: WireKeyRange, key: string): void => {
      const named = new KeyPrefix(prefix).into(wanted);
      const isInside = key.startsWith(prefix) && key.length > prefix.length;
      const expected = isInside && matches(wanted, key.slice(prefix.length));
      expect(matches(named, key)).toBe(expected);
      if (key !== '') expect(matches(named, prefix + key)).toBe(matches(wanted, key));
    };
    fc.assert(fc.property(text(1), range, text(0), run), { numRuns: 5000 });
  });

  test('is that of both where one is within the other', () => {
    const run = (outer: string, inner: string, wanted: WireKeyRange): void => {
      const nested = new KeyPrefix(outer).within(bytesOf(inner));
      expect(nested.into(wanted)).toEqual(new KeyPrefix(outer + inner).into(wanted));
      const once = new KeyPrefix(inner).into(wanted);
      const key = new KeyPrefix(outer).into(once);
      // The end may be another one that means the same.
      expect(nested.into(wanted).key).toBe(key.key);
    };
    fc.assert(fc.property(text(1), text(1), range, run));
  });

  test('is left out again', () => {
    const prefix = new KeyPrefix('p/');
    const pair = {
      ...{ key: 'p/k', value: new Uint8Array(), version: 1, leaseId: null },
      ...{ createRevision: 2, modRevision: 2 },
    };
    expect(prefix.outOf(pair).key).toBe('k');
    expect(
      prefix.outOfTxn({ succeeded: true, results: [{ type: 'put', previous: pair }] }),
    ).toEqual({ succeeded: true, results: [{ type: 'put', previous: { ...pair, key: 'k' } }] });
    expect(['p/k', 'p/', 'p', 'q/k'].map((key) => prefix.holds(key))).toEqual([
      ...[true, false, false, false],
    ]);
  });

  test('makes no key of nothing', () => {
    const prefix = new KeyPrefix('p/');
    const refused = expect.objectContaining({ code: 'invalidArgument' });
    for (const wanted of [keyRange(''), keyRange({ from: '' }), keyRange({ key: 'a', end: '' })]) {
      expect(() => prefix.into(wanted)).toThrow(refused);
    }
    expect(() => noPrefix.within('')).toThrow(refused);
    expect(prefix.into(keyRange({ prefix: '' }))).toEqual({ key: 'p/\u0000', rangeEnd: 'p0' });
  });
});
