import { expect, test } from 'vitest';
import type { Log } from '../../src/base/log.ts';
import { repair } from '../../src/server/repair.ts';
import { damaged } from '../../src/storage/damage.ts';
import { loadIdentity } from '../../src/storage/identity.ts';
import { Power } from '../sim/power.ts';
import { appendOf, entriesFrom, Machine } from '../storage/machine.ts';

const hourMs = 3_600_000;
const state = damaged('state', 'state/1', 0, 'its test says so');
const log = damaged('log', 'wal/1', 7, 'its test says so');

async function prepared() {
  const machine = new Machine(new Power());
  const storage = await machine.open();
  await storage.append(appendOf(entriesFrom(1, 3)));
  await storage.close();
  const { files } = machine.cut('keep');
  const lines: string[] = [];
  const collect: Log['warn'] = (_fields, message) => lines.push(message);
  const time = { wallMs: 1_700_000_000_000 };
  const options = {
    files,
    name: 'a',
    clock: { wall: () => time.wallMs },
    log: { debug() {}, info() {}, warn: collect, error() {} },
    mayRejoin: true,
  };
  return { files, lines, time, options, names: await files.list('') };
}

test('a damaged state is set aside, and the same member goes on', async () => {
  const { files, lines, options } = await prepared();
  expect(await repair(state, true, options)).toBe('reopen');
  expect(await files.list('')).toEqual(['identity', 'repaired', 'state', 'state.damaged', 'wal']);
  expect(lines).toEqual([
    'The state of node "a" is damaged: state/1 is damaged at byte 0: its test says so. ' +
      'Kept as state.damaged; it is made anew, from the log or by another member, and nothing is ' +
      'served until it is here',
  ]);
});

test('with a damaged log or identity the member is given up as a whole', async () => {
  for (const part of ['log', 'identity'] as const) {
    const { files, lines, options } = await prepared();
    expect(await repair(damaged(part, 'x', 0, 'bad'), false, options)).toBe('rejoin');
    const kept = ['identity.damaged', 'repaired', 'state.damaged', 'wal.damaged'];
    expect(await files.list('')).toEqual(kept);
    expect(await loadIdentity(files)).toBeNull();
    expect(lines[0]).toContain(
      'Kept as identity.damaged, state.damaged, wal.damaged; this node asks',
    );
  }
});

test('a state that no log leads to is given up with its member', async () => {
  const { files, options } = await prepared();
  await files.removeDirectory('wal');
  expect(await repair(state, true, options)).toBe('rejoin');
  expect(await loadIdentity(files)).toBeNull();
});

test('where nobody else has what is lost, nothing is changed', async () => {
  const { files, names, options } = await prepared();
  const alone = { ...options, mayRejoin: false };
  for (const [error, hasPeers] of [
    [log, true],
    [state, false],
  ] as const) {
    await expect(repair(error, hasPeers, alone)).rejects.toMatchObject({
      code: 'dataDamaged',
      message: expect.stringContaining('Nothing was changed; keep the data directory aside'),
    });
  }
  const failure = new Error('The disk is gone');
  await expect(repair(failure, true, options)).rejects.toBe(failure);
  expect(await files.list('')).toEqual(names);
});

test('a second time within an hour it is not repaired, but later it is', async () => {
  const { files, time, options } = await prepared();
  await repair(state, true, options);
  const names = await files.list('');
  time.wallMs += hourMs - 1;
  await expect(repair(log, true, options)).rejects.toThrow(/^Damaged again within an hour/);
  expect(await files.list('')).toEqual(names);
  time.wallMs += 1;
  expect(await repair(log, true, options)).toBe('rejoin');
  // The note outlives the member, and a clock that was set back by more than an hour counts for nothing.
  await expect(repair(log, true, options)).rejects.toThrow('"repaired"');
  time.wallMs -= hourMs;
  expect(await repair(log, true, options)).toBe('rejoin');
});
