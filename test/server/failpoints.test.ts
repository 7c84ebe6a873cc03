/** Places at which a test makes a node end, fail or stand still. */
import { expect, test } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import { type Arming, Failpoints, isFailpoint } from '../../src/server/failpoints.ts';
import { VirtualClock } from '../sim/clock.ts';

class Effects {
  readonly clock = new VirtualClock();
  readonly log = silentLog;
  readonly done: string[] = [];
  readonly failpoints = new Failpoints({
    clock: this.clock,
    log: silentLog,
    crash: () => this.done.push('crash'),
    block: (delayMs) => this.done.push(`block ${delayMs}`),
  });
}

const once: Arming = { action: 'crash', delayMs: 0, skip: 0, times: 1 };

test('nothing happens at a place that is not armed, but it is counted', () => {
  const { failpoints, done } = new Effects();
  failpoints.arm('append.begin', once);
  expect(failpoints.reachStorage('append.durable')).toBeUndefined();
  failpoints.reachNode('turn.send');
  expect(done).toEqual([]);
  expect(failpoints.report('turn.send')).toMatchObject({ reached: 1, armed: null });
});

test('strikes as often as it was armed for, after as many as it lets pass, and is off then', () => {
  const { failpoints, done } = new Effects();
  failpoints.arm('turn.send', { ...once, skip: 2, times: 2 });
  for (let time = 0; time < 6; time++) {
    failpoints.reachNode('turn.send');
    if (time === 2) {
      expect(done).toEqual(['crash']);
      expect(failpoints.report('turn.send').armed).toEqual({ ...once, times: 1 });
    }
  }
  expect(done).toEqual(['crash', 'crash']);
  expect(failpoints.report('turn.send')).toMatchObject({ reached: 6, armed: null });
});

test('is off again when it was disarmed', () => {
  const { failpoints, done } = new Effects();
  failpoints.arm('append.begin', once);
  failpoints.disarm('append.begin');
  void failpoints.reachStorage('append.begin');
  expect(done).toEqual([]);
});

test('throws what the storage takes for a failed disk, and a bug elsewhere', () => {
  const { failpoints } = new Effects();
  failpoints.arm('append.begin', { ...once, action: 'throw' });
  failpoints.arm('apply.begin', { ...once, action: 'throw' });
  expect(() => failpoints.reachStorage('append.begin')).toThrow(
    expect.objectContaining({ code: 'storageFailed' }),
  );
  expect(() => failpoints.reachNode('apply.begin')).toThrow(
    expect.objectContaining({ code: 'internal' }),
  );
});

test('delays only the operation in the storage, and everything elsewhere', async () => {
  const { failpoints, clock, done } = new Effects();
  const delay: Arming = { ...once, action: 'delay', delayMs: 250 };
  failpoints.arm('append.begin', delay);
  failpoints.arm('apply.begin', delay);
  const waiting = failpoints.reachStorage('append.begin')?.then(() => done.push('waited'));
  failpoints.reachNode('apply.begin');
  expect(done).toEqual(['block 250']);
  clock.step(Number.MAX_VALUE);
  await waiting;
  expect(clock.monotonic()).toBe(250);
  expect(done).toEqual(['block 250', 'waited']);
});

test('all of them are listed, those of the storage and those of the node', () => {
  const names = new Effects().failpoints.list().map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining(['append.durable', 'turn.persisted']));
  expect(new Set(names).size).toBe(names.length);
  expect(names.every(isFailpoint)).toBe(true);
  expect(['', 'append', 'toString', '__proto__'].some(isFailpoint)).toBe(false);
});
