import { expect, test } from 'vitest';
import type { CheckpointHeader } from '../../src/format/checkpoint.ts';
import { CheckedSnapshot } from '../../src/node/checked-snapshot.ts';
import type { StateSnapshot, StoredRecord } from '../../src/storage/types.ts';
import { put, TestMachine } from '../state-machine/machine.ts';
import { headerAt } from '../storage/machine.ts';

const { machine, records } = new TestMachine();
for (const key of ['a', 'b', 'c']) machine.apply(machine.appliedIndex + 1, entryOf(key));

function entryOf(key: string): Parameters<typeof machine.apply>[1] {
  const commands = [{ session: null, command: put(key, `value of ${key}`) }];
  return { logTimeMs: 0, wallTimeMs: 0, commands };
}

const whole = records.page('', '\xff');
const header: CheckpointHeader = { ...headerAt(3), digest: machine.digest };

/** One record at a time. */
function snapshotOf(all: readonly StoredRecord[]): StateSnapshot {
  return {
    header,
    read: async (after) => {
      const left = all.filter(([key]) => after === null || key > after);
      return { records: left.slice(0, 1), done: left.length <= 1 };
    },
    close: async () => {},
  };
}

/** Each piece is asked for twice, as if the first answer had been lost. */
async function readAll(snapshot: StateSnapshot): Promise<number> {
  let after: string | null = null;
  for (let count = 0; ; count++) {
    await snapshot.read(after, 1);
    const read = await snapshot.read(after, 1);
    if (read.done) return count + read.records.length;
    after = read.records[0]?.[0] ?? after;
  }
}

test('a whole state can be read, and read again', async () => {
  const snapshot = new CheckedSnapshot(snapshotOf(whole));
  expect(await readAll(snapshot)).toBe(whole.length);
  expect(await readAll(snapshot)).toBe(whole.length);
});

test('a state with a record that has rotted or is missing cannot be read to its end', async () => {
  for (const [at, [key, bytes]] of whole.entries()) {
    const rotten = Uint8Array.from(bytes);
    rotten[rotten.length - 1] = (rotten.at(-1) as number) ^ 4;
    for (const damaged of [whole.with(at, [key, rotten]), whole.toSpliced(at, 1)]) {
      await expect(readAll(new CheckedSnapshot(snapshotOf(damaged)))).rejects.toMatchObject({
        code: 'dataDamaged',
        details: { part: 'state' },
      });
    }
  }
});
