import { describe, expect, test } from 'vitest';
import { binaryKey, keyAfter, keyRange, prefixEnd, valueBytes } from '../../src/client/key.ts';
import { KeyValue } from '../../src/client/key-value.ts';

describe('keys', () => {
  test('text becomes its UTF-8 bytes, bytes stay as they are', () => {
    expect(binaryKey('plain')).toBe('plain');
    expect(binaryKey('é')).toBe('\u00c3\u00a9');
    expect(binaryKey(Uint8Array.of(0, 255))).toBe('\u0000\u00ff');
  });

  test.each([
    ['a', 'b'],
    ['ab\u00ff', 'ac'],
    ['\u00ff\u00ff', '\u0000'],
    ['', '\u0000'],
  ])('the end of prefix %j is %j', (prefix, end) => {
    expect(prefixEnd(prefix)).toBe(end);
  });

  test('selectors name one key, a prefix, the rest of the space or a range', () => {
    expect(keyRange('a')).toEqual({ key: 'a', rangeEnd: null });
    expect(keyRange({ prefix: 'a' })).toEqual({ key: 'a', rangeEnd: 'b' });
    expect(keyRange({ prefix: '' })).toEqual({ key: '\u0000', rangeEnd: '\u0000' });
    expect(keyRange({ from: 'c' })).toEqual({ key: 'c', rangeEnd: '\u0000' });
    expect(keyRange({ key: 'a', end: 'c' })).toEqual({ key: 'a', rangeEnd: 'c' });
  });

  test('nothing lies between a key and the key after it', () => {
    expect(keyAfter('a'.repeat(4096))).toBe(`${'a'.repeat(4095)}b`);
    expect(keyAfter(`a${'\xff'.repeat(4095)}`)).toBe('b');
    expect(keyAfter('\xff'.repeat(4096))).toBeNull();
    expect(keyAfter('a')).toBe('a\u0000');
  });

  test('values are text or bytes', () => {
    expect(valueBytes('é')).toEqual(Uint8Array.of(0xc3, 0xa9));
    expect(valueBytes(Uint8Array.of(9))).toEqual(Uint8Array.of(9));
  });
});

describe('a pair', () => {
  const wire = { createRevision: 2, modRevision: 3, version: 2, leaseId: null };

  test('gives exact bytes and text', () => {
    const pair = new KeyValue({ ...wire, key: '\u00c3\u00a9', value: Uint8Array.of(104, 105) });
    expect(pair.key).toEqual(Uint8Array.of(0xc3, 0xa9));
    expect(pair.keyText).toBe('é');
    expect(pair.valueText).toBe('hi');
    expect(pair.size).toBe(4);
  });

  test('keeps no view into the frame that it came in', () => {
    const frame = Uint8Array.of(1, 2, 3, 4);
    const pair = new KeyValue({ ...wire, key: 'a', value: frame.subarray(1, 3) });
    frame.fill(0);
    expect(pair.value).toEqual(Uint8Array.of(2, 3));
  });
});
