import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openNodeFiles } from '../../src/storage/node-files.ts';
import { type ChildProgram, startChild } from './child.ts';
import { makeTemporaryDirectory } from './directories.ts';

let directory: { readonly path: string; remove(): Promise<void> };
beforeEach(async () => {
  directory = await makeTemporaryDirectory();
});
afterEach(() => directory.remove());

test('a directory is made for its owner alone', async () => {
  const place = join(directory.path, 'deep', 'data');
  const files = await openNodeFiles(place);
  const file = await files.open('some', { create: true });
  expect((await stat(place)).mode & 0o777).toBe(0o700);
  expect((await stat(join(place, 'some'))).mode & 0o777).toBe(0o600);
  await file?.close();
  await files.close();
});

test('a directory is open once, its siblings do not matter', async () => {
  const place = join(directory.path, 'one');
  const files = await openNodeFiles(place);
  const sibling = await openNodeFiles(join(directory.path, 'two'));
  await expect(openNodeFiles(place)).rejects.toMatchObject({
    code: 'dataDirectory',
    message: expect.stringContaining(place),
  });
  await files.close();
  await (await openNodeFiles(place)).close();
  await sibling.close();
});

test('a path that is no directory is refused', async () => {
  const place = join(directory.path, 'file');
  await writeFile(place, '');
  await expect(openNodeFiles(place)).rejects.toMatchObject({ code: 'dataDirectory' });
});

test('another process keeps the directory until it dies, even when it is killed', async () => {
  const place = join(directory.path, 'data');
  const child: ChildProgram = await startChild('append', [place]);
  await child.nextLine();
  await expect(openNodeFiles(place)).rejects.toMatchObject({
    code: 'dataDirectory',
    message: expect.stringContaining(`${child.pid}`),
  });
  await child.kill();
  await (await openNodeFiles(place)).close();
});
