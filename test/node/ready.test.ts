import { expect, test } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import { createPrng } from '../../src/base/prng.ts';
import { featureLevel } from '../../src/format/feature-level.ts';
import type { Entry } from '../../src/format/types.ts';
import { loadStoredMachine } from '../../src/node/load-machine.ts';
import { Member } from '../../src/node/member.ts';
import type { PeerTransport } from '../../src/node/types.ts';
import { encodeCommandEntry } from '../../src/state-machine/command-codec.ts';
import { renewState } from '../../src/storage/repair.ts';
import type { Storage } from '../../src/storage/types.ts';
import { Power } from '../sim/power.ts';
import { put } from '../state-machine/machine.ts';
import { appendOf, birth, Machine, memberId, settle } from '../storage/machine.ts';
import { applyUpTo } from '../storage/state.ts';

const alone: PeerTransport = {
  opened() {},
  send() {},
  setConfiguration() {},
  setFeatureLevel() {},
  flush() {},
  attach() {},
};

function entryAt(index: number): Entry {
  const command = encodeCommandEntry({
    ...{ logTimeMs: index * 10, wallTimeMs: 0 },
    commands: [{ session: null, command: put('key', 'x'.repeat(4000)) }],
  });
  return { type: 'command', term: 1, index, command };
}

/** Its log is whole but begins late, and its state is gone. */
async function withoutState(): Promise<{ machine: Machine; storage: Storage }> {
  const machine = new Machine(new Power());
  const first = await machine.open();
  const hardState = { currentTerm: 1, votedFor: memberId, commitIndex: 40 };
  for (let index = 1; index <= 40; index++) {
    await first.append(appendOf([entryAt(index)], index === 40 ? hardState : null));
  }
  for (let index = 1; index <= 35; index++) applyUpTo(first, { term: 1, index });
  await first.checkpointNow();
  await first.releaseLog(35);
  await first.close();
  const left = machine.cut('keep');
  left.files.database('state/1')?.lose();
  await renewState(left.files);
  const storage = await left.open();
  expect(storage.isStateMissing).toBe(true);
  return { machine: left, storage };
}

test('a node that lacks its state is not ready, even while it leads by its log', async () => {
  const { machine, storage } = await withoutState();
  const { clock } = machine;
  const member = new Member({
    ...{ memberId, name: 'a', birth, storage, clock, featureLevelMax: featureLevel },
    machine: await loadStoredMachine(storage, featureLevel),
    transport: alone,
    random: createPrng(1),
    log: silentLog,
    onFatal: (error) => {
      throw error;
    },
  });
  member.start();
  while (clock.monotonic() < 4000) {
    clock.step(Number.MAX_VALUE);
    await settle();
  }
  expect(member.status()).toMatchObject({ role: 'leader', appliedIndex: 0 });
  expect(member.ready()).toBe(false);
});
