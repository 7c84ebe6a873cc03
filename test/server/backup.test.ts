/** Backups of a newer version of Rollcall. */
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { featureLevel } from '../../src/format/feature-level.ts';
import { verifyBackup } from '../../src/server/backup.ts';
import { restoreBackup } from '../../src/server/recovery.ts';
import { BackupWriter } from '../../src/storage/backup-file.ts';
import { configuration } from '../storage/machine.ts';

async function backupOf(level: number): Promise<{ directory: string; file: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'rollcall-backup-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const writer = new BackupWriter({
    savedAtMs: 1_700_000_000_000,
    savedFrom: 'n1',
    state: {
      ...{ applied: { term: 3, index: 20 }, configuration, featureLevel: level, revision: 1 },
      ...{ clusterId: '00000000000000c1', incarnation: '00000000000000e1' },
      ...{
        logTimeMs: 0,
        wallTimeMs: 0,
        compactRevisions: [0, 0],
        removedRevisions: [0, 0],
        timeMarks: [],
        digest: { high: 0, low: 0 },
      },
    },
  });
  const file = join(directory, 'backup');
  await writeFile(file, Buffer.concat([writer.header(), writer.end()]));
  return { directory, file };
}

test('one of a newer feature level is neither verified nor restored', async () => {
  const { directory, file } = await backupOf(featureLevel + 1);
  const refusal = {
    code: 'formatTooNew',
    message: expect.stringContaining(`of feature level ${featureLevel + 1}`),
  };
  await expect(verifyBackup(file)).rejects.toMatchObject(refusal);
  const dataDirectory = join(directory, 'data');
  const addresses = { peerAddress: '127.0.0.1:4641', clientAddress: '127.0.0.1:4640' };
  const restored = restoreBackup({ file, dataDirectory, name: 'n1', ...addresses });
  await expect(restored).rejects.toMatchObject(refusal);
  expect((await readdir(dataDirectory)).filter((name) => name !== 'lock')).toEqual([]);
});

test.each([1, featureLevel])('one of level %i is', async (level) => {
  const { file } = await backupOf(level);
  expect(await verifyBackup(file)).toMatchObject({ featureLevel: level });
});
