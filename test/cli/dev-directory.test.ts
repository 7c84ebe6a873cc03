import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DevDirectory } from '../../src/cli/dev-directory.ts';
import { lockDirectory } from '../../src/storage/directory-lock.ts';

let root = '';

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'rollcall-dev-'));
});
afterEach(() => rm(root, { recursive: true }));

function options(nodes = 3, port = 4640) {
  return { nodes, port, dataDirectory: join(root, 'data') };
}

async function storeSomething(): Promise<void> {
  await mkdir(join(root, 'data', 'n1', 'wal'), { recursive: true });
  await writeFile(join(root, 'data', 'n1.log'), 'log');
  await writeFile(join(root, 'data', 'notes.txt'), 'mine');
}

async function use(isFresh: boolean, given = options()): Promise<void> {
  const directory = await DevDirectory.open(given);
  try {
    await directory.prepare(isFresh);
  } finally {
    await directory.release();
  }
}

const refused = expect.objectContaining({ code: 'dataDirectory' });
const ours = ['dev.json', 'lock'];

describe('The data directory of a development cluster', () => {
  test('is made, and kept as it is by the next run', async () => {
    await use(false);
    await storeSomething();
    await use(false);
    expect(await readdir(join(root, 'data'))).toEqual([...ours, 'n1', 'n1.log', 'notes.txt']);
  });

  test('loses the nodes and their logs when it shall be fresh, and nothing else', async () => {
    await use(false);
    await storeSomething();
    await use(true, options(5));
    expect(await readdir(join(root, 'data'))).toEqual([...ours, 'notes.txt']);
  });

  test('is not used, let alone emptied, when no such run has made it', async () => {
    await storeSomething();
    await expect(use(true)).rejects.toThrow(refused);
    await expect(use(false)).rejects.toThrow(refused);
    expect(await readdir(join(root, 'data'))).toEqual(['n1', 'n1.log', 'notes.txt']);
  });

  test('keeps its nodes and ports once something is stored', async () => {
    await use(false);
    await use(false, options(5, 5000));
    await storeSomething();
    await expect(use(false)).rejects.toThrow(/--nodes 5 --port 5000.*would delete n1 /);
    await expect(use(false, options(5, 4640))).rejects.toThrow(refused);
    await use(false, options(5, 5000));
  });

  test('belongs to one at a time, whatever the other wants', async () => {
    const directory = await DevDirectory.open(options());
    await directory.prepare(false);
    await storeSomething();
    const taken = `${join(root, 'data')} is in use by another \`rollcall dev\`, pid ${process.pid}`;
    await expect(use(true, options(3, 5000))).rejects.toThrow(taken);
    await expect(use(false)).rejects.toThrow(taken);
    expect(await readdir(join(root, 'data'))).toEqual([...ours, 'n1', 'n1.log', 'notes.txt']);
    await directory.release();
    await use(true);
  });

  test('is given to exactly one of many that come at once', async () => {
    const attempts = Array.from({ length: 8 }, () => DevDirectory.open(options()));
    const settled = await Promise.allSettled(attempts);
    const won = settled.filter(({ status }) => status === 'fulfilled');
    expect(won).toHaveLength(1);
    for (const attempt of won) if (attempt.status === 'fulfilled') await attempt.value.release();
  });

  test('is not emptied while one of its nodes still runs', async () => {
    await use(false);
    await storeSomething();
    const node = await lockDirectory(join(root, 'data', 'n1'));
    await expect(use(true)).rejects.toThrow(`${join('data', 'n1')} is in use by another process`);
    expect(await readdir(join(root, 'data'))).toContain('n1.log');
    await node.release();
    await use(true);
  });

  test('is refused where a file stands in its way', async () => {
    await writeFile(join(root, 'data'), '');
    await expect(use(false)).rejects.toThrow(refused);
  });
});
