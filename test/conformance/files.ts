/** What every implementation of the Files seam does. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { File, Files } from '../../src/storage/types.ts';

export interface FilesFixture {
  readonly files: Files;
  /** Ends the process, without any loss of power, and starts again on the same directory. */
  reopen(): Promise<Files>;
  remove(): Promise<void>;
}

export function filesSuite(name: string, make: () => Promise<FilesFixture>): void {
  describe(`${name} as Files`, () => {
    let fixture: FilesFixture | null = null;
    beforeEach(async () => {
      fixture = await make();
    });
    afterEach(() => fixture?.remove());
    const get = (): FilesFixture => {
      if (fixture === null) throw new Error('Nothing was made');
      return fixture;
    };
    testBytes(get);
    testNames(get);
    testDirectories(get);
  });
}

function testBytes(get: () => FilesFixture): void {
  test('a missing file is null unless it is created', async () => {
    const { files } = get();
    expect(await files.open('some', { create: false })).toBeNull();
    await (await create(files, 'some')).close();
    const again = await files.open('some', { create: false });
    expect(await again?.size()).toBe(0);
    await again?.close();
  });

  test('what is written is read, in place and extending', async () => {
    const { files } = get();
    const file = await create(files, 'some');
    await file.write(0, bytes(1, 2, 3, 4));
    await file.write(2, bytes(7, 8, 9));
    expect(await file.size()).toBe(5);
    expect([...(await file.read(0, 5))]).toEqual([1, 2, 7, 8, 9]);
    expect(await file.read(1, 2)).toEqual(bytes(2, 7));
    await file.close();
  });

  test('a gap reads as zeros, and reading ends with the file', async () => {
    const { files } = get();
    const file = await create(files, 'some');
    await file.write(3, bytes(5));
    expect([...(await file.read(0, 100))]).toEqual([0, 0, 0, 5]);
    expect((await file.read(4, 10)).length).toBe(0);
    expect((await file.read(100, 10)).length).toBe(0);
    await file.close();
  });

  test('durable and ordinary writes see each other', async () => {
    const { files } = get();
    const file = await create(files, 'some');
    await file.write(0, bytes(1, 1, 1));
    await file.writeDurably(1, bytes(2));
    await file.write(2, bytes(3, 4));
    await file.sync();
    expect([...(await file.read(0, 10))]).toEqual([1, 2, 3, 4]);
    await file.close();
  });

  test('large writes arrive whole', async () => {
    const { files } = get();
    const file = await create(files, 'some');
    const large = new Uint8Array(3 * 1024 * 1024).map((_, at) => (at * 31) % 251);
    await file.writeDurably(5, large);
    expect(Buffer.compare(await file.read(5, large.length), large)).toBe(0);
    await file.close();
  });
}

function testNames(get: () => FilesFixture): void {
  test('everything is there after a restart', async () => {
    const { files } = get();
    await files.makeDirectory('deep');
    await files.makeDirectory('deep');
    const file = await create(files, 'deep/some');
    await file.write(0, bytes(1, 2, 3));
    await file.sync();
    await file.close();
    await files.syncDirectory('deep');
    await files.syncDirectory('');
    const again = await (await get().reopen()).open('deep/some', { create: false });
    expect([...((await again?.read(0, 3)) ?? [])]).toEqual([1, 2, 3]);
    await again?.close();
  });

  test('names are listed in order', async () => {
    const { files } = get();
    expect(await files.list('deep')).toEqual([]);
    await files.makeDirectory('deep');
    for (const name of ['b', 'c', 'a']) await (await create(files, `deep/${name}`)).close();
    expect(await files.list('deep')).toEqual(['a', 'b', 'c']);
  });

  test('a rename replaces what is there', async () => {
    const { files } = get();
    const left = await create(files, 'left');
    await left.write(0, bytes(1));
    await left.close();
    await (await create(files, 'right')).close();
    await files.rename('left', 'right');
    expect(await files.open('left', { create: false })).toBeNull();
    const right = await files.open('right', { create: false });
    expect([...((await right?.read(0, 9)) ?? [])]).toEqual([1]);
    await right?.close();
  });

  test('a removed file is gone, and removing nothing is fine', async () => {
    const { files } = get();
    await (await create(files, 'some')).close();
    await files.remove('some');
    await files.remove('some');
    expect(await files.open('some', { create: false })).toBeNull();
  });

  test('an open file can be read after its name is gone', async () => {
    const { files } = get();
    const file = await create(files, 'some');
    await file.write(0, bytes(1, 2));
    await files.remove('some');
    expect([...(await file.read(0, 9))]).toEqual([1, 2]);
    await file.close();
  });

  test('an operation that cannot be done fails as a storage error', async () => {
    const { files } = get();
    await expect(files.open('no/where', { create: true })).rejects.toMatchObject({
      code: 'storageFailed',
      definite: false,
    });
    await expect(files.rename('nothing', 'something')).rejects.toMatchObject({
      code: 'storageFailed',
    });
  });
}

function testDirectories(get: () => FilesFixture): void {
  test('a directory is renamed with what is in it', async () => {
    const { files } = get();
    await files.makeDirectory('deep');
    await (await create(files, 'deep/some')).close();
    await files.rename('deep', 'other');
    expect(await files.list('deep')).toEqual([]);
    expect(await files.list('other')).toEqual(['some']);
  });

  test('a removed directory is gone with what is in it, and removing nothing is fine', async () => {
    const { files } = get();
    await files.makeDirectory('deep');
    await files.makeDirectory('deep/er');
    for (const path of ['deep/some', 'deep/er/some']) await (await create(files, path)).close();
    await files.removeDirectory('deep');
    await files.removeDirectory('deep');
    expect(await files.list('')).not.toContain('deep');
    expect(await files.list('deep')).toEqual([]);
    await (await create(files, 'some')).close();
    await files.removeDirectory('some');
    expect(await files.list('')).not.toContain('some');
  });

  test('the disk tells how much it has left', async () => {
    const free = await get().files.freeBytes();
    expect(free).toBeGreaterThan(0);
    expect(Number.isSafeInteger(free)).toBe(true);
  });
}

async function create(files: Files, path: string): Promise<File> {
  const file = await files.open(path, { create: true });
  if (file === null) throw new Error(`${path} was not created`);
  return file;
}

function bytes(...values: number[]): Uint8Array {
  return Uint8Array.from(values);
}
