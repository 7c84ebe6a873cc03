import { expect, test } from 'vitest';
import { createPrng } from '../../src/base/prng.ts';
import { SnapshotFetch } from '../../src/node/snapshot-fetch.ts';
import { VirtualClock } from '../sim/clock.ts';
import { type Told, transferLog } from './transfers.ts';

const [self, silent, leader] = ['00000000000000a1', '00000000000000a2', '00000000000000a3'];

test('a sender that has fallen silent is left for one that offers its state', async () => {
  const clock = new VirtualClock();
  const asked: string[] = [];
  const told: Told[] = [];
  const fetch = new SnapshotFetch({
    id: self,
    stage: () => Promise.reject(new Error('Nothing has come')),
    send: ({ to }) => asked.push(to),
    received: () => {},
    failed: (error) => {
      throw error;
    },
    check() {},
    isNeedless: () => false,
    transfers: transferLog(clock, told),
    clock,
    random: createPrng(1),
    askAgainMs: 1000,
    giveUpMs: 10_000,
  });
  fetch.begin(silent);
  clock.step(1500);
  fetch.sweep();
  fetch.begin(leader);
  await settled();
  expect(asked, 'once more, and nobody else yet').toEqual([silent, silent]);

  clock.step(2000);
  fetch.begin(leader);
  await settled();
  fetch.begin(leader);
  expect(asked).toEqual([silent, silent, leader]);
  await fetch.close();
  expect(told, 'nothing had come').toEqual([]);
});

function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
