/** What every implementation of the Level seam does. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Level, LevelReading } from '../../src/storage/types.ts';

export interface LevelFixture {
  readonly level: Level;
  /** Closes the database and opens it again. */
  reopen(): Promise<Level>;
  remove(): Promise<void>;
}

export function levelSuite(name: string, make: () => Promise<LevelFixture>): void {
  describe(`${name} as Level`, () => {
    let fixture: LevelFixture | null = null;
    beforeEach(async () => {
      fixture = await make();
    });
    afterEach(() => fixture?.remove());
    const get = (): LevelFixture => {
      if (fixture === null) throw new Error('Nothing was made');
      return fixture;
    };
    testBatches(get);
    testKeys(get);
  });
}

function testBatches(get: () => LevelFixture): void {
  test('a batch puts and deletes', async () => {
    const { level } = get();
    await level.write([
      ['a', bytes(1)],
      ['b', bytes(2)],
    ]);
    await level.write([
      ['b', null],
      ['c', bytes(3)],
      ['never', null],
    ]);
    expect(['a', 'b', 'c', 'never'].map((key) => plain(level.get(key)))).toEqual([
      [1],
      null,
      [3],
      null,
    ]);
  });

  test('within a batch the last change of a key holds', async () => {
    const { level } = get();
    await level.write([
      ['a', bytes(1)],
      ['a', null],
      ['b', null],
      ['b', bytes(2)],
    ]);
    expect(plain(level.get('a'))).toBeNull();
    expect(plain(level.get('b'))).toEqual([2]);
  });

  test('empty values are values', async () => {
    const { level } = get();
    await level.write([['a', bytes()]]);
    expect(level.get('a')).toEqual(bytes());
    expect(plain(level.get('a'))).toEqual([]);
  });
}

function testKeys(get: () => LevelFixture): void {
  test('keys are any bytes, in the order of bytes', async () => {
    const { level } = get();
    const keys = ['\x00', '\x00\xff', 'a', '\x7f', '\x80', '\xc3\xa9', '\xfe\x00', '\xff'];
    await level.write(keys.toReversed().map((key, at) => [key, bytes(at)]));
    expect((await all(level, '\x00', '\xff')).map(([key]) => key)).toEqual(keys.slice(0, -1));
    expect(plain(level.get('\x80'))).toEqual([3]);
    expect(level.get('\xc2\x80')).toBeNull();
  });

  test('a range begins with its start and ends before its end', async () => {
    const { level } = get();
    await level.write(['a', 'b', 'c', 'd'].map((key) => [key, bytes(1)]));
    expect((await all(level, 'b', 'd')).map(([key]) => key)).toEqual(['b', 'c']);
    expect(await all(level, 'x', 'z')).toEqual([]);
  });

  test('a big batch arrives whole and is read in bounded pages', async () => {
    const { level } = get();
    const count = 5000;
    await level.write(
      Array.from({ length: count }, (_, at) => [keyOf(at), new Uint8Array(100).fill(at % 256)]),
    );
    let seen = 0;
    for await (const page of level.pages('', '\xff')) {
      expect(page.length).toBeLessThanOrEqual(1000);
      for (const [key, value] of page) {
        expect(key).toBe(keyOf(seen));
        expect(value[99]).toBe(seen % 256);
        seen++;
      }
    }
    expect(seen).toBe(count);
  });

  test('a snapshot stands still', async () => {
    const { level } = get();
    await level.write([
      ['a', bytes(1)],
      ['b', bytes(2)],
    ]);
    const snapshot = level.snapshot();
    await level.write([
      ['a', bytes(9)],
      ['b', null],
      ['c', bytes(3)],
    ]);
    expect(['a', 'b', 'c'].map((key) => plain(snapshot.get(key)))).toEqual([[1], [2], null]);
    expect(await all(snapshot, '', '\xff')).toEqual([
      ['a', [1]],
      ['b', [2]],
    ]);
    expect((await all(level, '', '\xff')).map(([key]) => key)).toEqual(['a', 'c']);
    await snapshot.close();
  });

  test('a snapshot can be read from the middle of a page that was given up', async () => {
    const { level } = get();
    const changes = Array.from({ length: 3000 }, (_, at) => [keyOf(at), bytes(at % 256)] as const);
    await level.write(changes);
    const snapshot = level.snapshot();
    const pages = snapshot.pages('', '\xff')[Symbol.asyncIterator]();
    expect((await pages.next()).value?.length).toBeGreaterThan(10);
    await pages.return?.();
    expect((await all(snapshot, keyOf(2990), '\xff')).length).toBe(10);
    await snapshot.close();
  });

  test('what was written is there after a restart', async () => {
    const { level } = get();
    await level.write([['a', bytes(1, 2)]]);
    expect(plain((await get().reopen()).get('a'))).toEqual([1, 2]);
  });

  test('a closed database fails as storage', async () => {
    const { level } = get();
    await level.close();
    expect(() => level.get('a')).toThrow(expect.objectContaining({ code: 'storageFailed' }));
    await expect(level.write([['a', bytes(1)]])).rejects.toMatchObject({ code: 'storageFailed' });
  });
}

function keyOf(at: number): string {
  return `k${at.toString().padStart(6, '0')}`;
}

async function all(
  level: LevelReading,
  from: string,
  to: string,
): Promise<[string, number[] | null][]> {
  const found: [string, number[] | null][] = [];
  for await (const page of level.pages(from, to)) {
    for (const [key, value] of page) found.push([key, plain(value)]);
  }
  return found;
}

function plain(value: Uint8Array | null): number[] | null {
  return value === null ? null : [...value];
}

function bytes(...values: number[]): Uint8Array {
  return Uint8Array.from(values);
}
