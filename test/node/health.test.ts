import { expect, test } from 'vitest';
import { Health } from '../../src/node/health.ts';
import type { Input, Status } from '../../src/raft/types.ts';

interface Situation {
  isStateMissing?: boolean;
  isLeaderless?: boolean;
  pendingMs: number;
  status: Pick<Status, 'role' | 'transferee'>;
}

function healthIn(situation: Situation): { readonly health: Health; readonly inputs: Input[] } {
  const inputs: Input[] = [];
  const health = new Health({
    step: (input) => inputs.push(input),
    status: () => situation.status,
    diskPendingMs: () => situation.pendingMs,
    diskStallMs: 1000,
    isStateMissing: () => situation.isStateMissing ?? false,
    isReplaying: () => false,
    isLeaderless: () => situation.isLeaderless ?? false,
    removed: () => {},
  });
  return { health, inputs };
}

const handOver: Input = { type: 'transferLeadership', to: null };

test('a leader whose disk hangs asks to hand over until somebody has taken over', () => {
  const situation: Situation = { pendingMs: 900, status: { role: 'leader', transferee: null } };
  const { health, inputs } = healthIn(situation);
  health.sweep();
  expect(inputs).toEqual([]);
  situation.pendingMs = 1100;
  health.sweep();
  expect(inputs.splice(0)).toEqual([handOver, { type: 'eligible', campaign: false }]);
  // One attempt at a time.
  situation.status = { role: 'leader', transferee: 'b' };
  health.sweep();
  expect(inputs).toEqual([]);
  // It was given up: the one that was asked could not be reached, or had not caught up.
  situation.status = { role: 'leader', transferee: null };
  health.sweep();
  expect(inputs.splice(0)).toEqual([handOver]);
  situation.status = { role: 'follower', transferee: null };
  health.sweep();
  expect(inputs).toEqual([]);
});

test('one whose state is lost leads only to hand its log over', () => {
  const situation: Situation = {
    ...{ pendingMs: 0, isStateMissing: true, isLeaderless: true },
    status: { role: 'follower', transferee: null },
  };
  const { health, inputs } = healthIn(situation);
  health.sweep();
  expect(inputs, 'it may campaign').toEqual([]);
  situation.status = { role: 'leader', transferee: null };
  situation.isLeaderless = false;
  health.sweep();
  expect(inputs.splice(0)).toEqual([handOver, { type: 'eligible', campaign: false }]);
  health.sweep();
  expect(inputs.splice(0), 'until somebody has taken over').toEqual([handOver]);
  situation.isStateMissing = false;
  health.sweep();
  expect(inputs, 'or its state has come').toEqual([{ type: 'eligible', campaign: true }]);
});

test('a stall ends with a quick answer of the disk, not with the first one', () => {
  const situation: Situation = { pendingMs: 1100, status: { role: 'follower', transferee: null } };
  const { health, inputs } = healthIn(situation);
  health.sweep();
  expect(inputs.splice(0)).toEqual([{ type: 'eligible', campaign: false }]);
  situation.pendingMs = 500;
  health.sweep();
  expect(inputs).toEqual([]);
  situation.pendingMs = 50;
  health.sweep();
  expect(inputs).toEqual([{ type: 'eligible', campaign: true }]);
});
