import { describe, expect, test } from 'vitest';
import { RollcallError } from '../../src/base/errors.ts';
import { mapEntriesMax, scan } from '../../src/wire/scan.ts';

const bounds = { itemsMax: 100, depthMax: 4 };

function outcome(...bytes: readonly number[]): string {
  try {
    scan(Uint8Array.from(bytes), bounds);
    return 'passes';
  } catch (error) {
    return error instanceof RollcallError ? error.code : `thrown: ${String(error)}`;
  }
}

function text(value: string): readonly number[] {
  return [0xa0 | value.length, ...Buffer.from(value)];
}

describe('scan', () => {
  test.each<[string, readonly number[]]>([
    ['positive fixint', [0x7f]],
    ['negative fixint', [0xe0]],
    ['nil', [0xc0]],
    ['booleans', [0x92, 0xc2, 0xc3]],
    ['floats', [0x92, 0xca, 0, 0, 0, 0, 0xcb, 0, 0, 0, 0, 0, 0, 0, 0]],
    ['unsigned', [0x94, 0xcc, 1, 0xcd, 0, 1, 0xce, 0, 0, 0, 1, 0xcf, 0, 0, 0, 0, 0, 0, 0, 1]],
    ['signed', [0x94, 0xd0, 1, 0xd1, 0, 1, 0xd2, 0, 0, 0, 1, 0xd3, 0, 0, 0, 0, 0, 0, 0, 1]],
    ['strings', [0x94, 0xa1, 65, 0xd9, 1, 65, 0xda, 0, 1, 65, 0xdb, 0, 0, 0, 1, 65]],
    ['byte strings', [0x93, 0xc4, 1, 9, 0xc5, 0, 1, 9, 0xc6, 0, 0, 0, 1, 9]],
    ['arrays', [0x92, 0xdc, 0, 1, 0xc0, 0xdd, 0, 0, 0, 1, 0xc0]],
    ['maps', [0x92, 0xde, 0, 1, 0xa1, 65, 0xc0, 0xdf, 0, 0, 0, 1, 0xd9, 1, 65, 0xc0]],
    ['deepest allowed', [0x91, 0x91, 0x91, 0x91, 0xc0]],
  ])('passes %s', (_name, bytes) => {
    expect(outcome(...bytes)).toBe('passes');
  });

  test.each<[string, readonly number[]]>([
    ['nothing', []],
    ['bytes after the value', [0xc0, 0xc0]],
    ['one level too deep', [0x91, 0x91, 0x91, 0x91, 0x91, 0xc0]],
    ['an array that ends early', [0x92, 0xc0]],
    ['an array longer than the frame', [0xdd, 0xff, 0xff, 0xff, 0xff, 0xc0]],
    ['a map longer than the frame', [0xdf, 0xff, 0xff, 0xff, 0xff, 0xc0]],
    ['a string longer than the frame', [0xdb, 0xff, 0xff, 0xff, 0xff, 0xc0]],
    ['bytes longer than the frame', [0xc6, 0xff, 0xff, 0xff, 0xff, 0xc0]],
    ['a number that ends early', [0xcf, 0, 0]],
    ['a length that ends early', [0xdb, 0, 0]],
    ['the unused token', [0xc1]],
    ['a fixed extension', [0xd4, 1, 0]],
    ['a record definition', [0xd4, 0x72, 0x40, 0x91, 0xa1, 65]],
    ['a long extension', [0xc7, 1, 1, 0]],
    ['a map with a number as key', [0x81, 0x01, 0xc0]],
    ['a key given twice', [0x82, ...text('key'), 0xc0, ...text('key'), 0xc0]],
    ['a key given twice in two encodings', [0x82, 0xa1, 65, 0xc0, 0xd9, 1, 65, 0xc0]],
  ])('refuses %s', (_name, bytes) => {
    expect(outcome(...bytes)).toBe('malformedFrame');
  });

  test('counts keys and containers as items, up to the bound', () => {
    const elements = (count: number) => [
      0xdc,
      count >> 8,
      count & 0xff,
      ...Array(count).fill(0xc0),
    ];
    expect(outcome(...elements(99))).toBe('passes');
    expect(outcome(...elements(100))).toBe('frameTooLarge');
  });

  test('refuses a map that no message has', () => {
    const map = (count: number): readonly number[] => [
      0xde,
      0,
      count,
      ...Array.from({ length: count }, (_, at) => [0xa1, at, 0xc0]).flat(),
    ];
    const roomy = { itemsMax: 1000, depthMax: 4 };
    scan(Uint8Array.from(map(mapEntriesMax)), roomy);
    expect(() => scan(Uint8Array.from(map(mapEntriesMax + 1)), roomy)).toThrow(/at most 64/);
  });

  test('allows the same key in two maps', () => {
    expect(outcome(0x92, 0x81, 0xa1, 65, 0xc0, 0x81, 0xa1, 65, 0xc0)).toBe('passes');
  });
});
