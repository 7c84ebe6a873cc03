import { describe, expect, test } from 'vitest';
import { emptyBytes } from '../../src/base/bytes.ts';
import type { SpaceReport } from '../../src/format/node-message.ts';
import { Room } from '../../src/node/room.ts';
import type { Request } from '../../src/node/types.ts';
import { VirtualClock } from '../sim/clock.ts';

const mebi = 1024 * 1024;
const put = {
  type: 'put',
  key: 'k',
  value: emptyBytes,
  leaseId: null,
  previous: false,
  ignoreValue: false,
  ignoreLease: false,
} as const;
const del = { type: 'delete', key: 'k', rangeEnd: null, previous: false } as const;

const members = ['a', 'b'].map((id, at) => ({
  ...{ id, name: `n${at + 1}`, peerAddress: '', clientAddress: '', featureLevel: 1 },
  ...{ replaces: null, autoPromote: false },
}));

class Node {
  readonly clock = new VirtualClock();
  readonly sent: SpaceReport[] = [];
  role: 'leader' | 'follower' = 'leader';
  voters = ['a', 'b', 'c'];
  votersOutgoing: string[] = [];
  freeBytes = 30 * mebi;
  waitsForSpace = false;
  storedBytes = 0;
  changes = 0;
  readonly room: Room;

  constructor() {
    const node = this;
    this.room = new Room({
      id: 'a',
      clock: this.clock,
      storage: {
        get waitsForSpace() {
          return node.waitsForSpace;
        },
        freeBytes: () => Promise.resolve(this.freeBytes),
      },
      bounds: { diskReserveBytes: 3 * mebi, quotaBytes: 100 * mebi },
      machine: () => ({ storedBytes: this.storedBytes }),
      status: () => {
        const { voters, votersOutgoing, role } = this;
        const rest = { members, learners: [], learnersNext: [] };
        const leaderId = role === 'leader' ? 'a' : 'b';
        return { role, leaderId, configuration: { voters, votersOutgoing, ...rest } };
      },
      send: (report) => this.sent.push(report),
      changed: () => this.changes++,
      failed: (error) => {
        throw error;
      },
    });
  }

  async pass(ms: number): Promise<void> {
    this.clock.step(this.clock.monotonic() + ms);
    this.room.sweep();
    await new Promise((resolve) => setImmediate(resolve));
  }

  hear(...ids: readonly string[]): void {
    for (const from of ids) this.room.heard({ type: 'spaceReport', from, to: 'a', isShort: true });
  }

  get message(): string | undefined {
    return this.room.refusal(put)?.message;
  }

  refuses(request: Request = put): boolean {
    return this.room.refusal(request)?.code === 'noSpace';
  }
}

describe('a leader', () => {
  test('takes everything while there is room', async () => {
    const node = new Node();
    expect(node.refuses()).toBe(false);
    await node.pass(1000);
    expect(node.refuses()).toBe(false);
  });

  test('that is short itself refuses what stores something, and nothing else', async () => {
    const node = new Node();
    node.freeBytes = 2.5 * mebi;
    await node.pass(1000);
    const txn = (...success: readonly (typeof put | typeof del)[]): Request => ({
      ...{ type: 'txn', compares: [], failure: [] },
      success: [{ type: 'txn', compares: [], success, failure: [] }],
    });
    const instance = { id: 'i', address: 'a:1', tags: [], metadata: [] };
    const service = { namespace: 'n', service: 's' };
    const taken: readonly Request[] = [
      del,
      txn(del),
      { type: 'leaseRevoke', leaseId: 'l' },
      { type: 'leaseKeepAlive', leaseIds: ['l'] },
      { type: 'deregister', ...service, id: 'i', leaseId: null },
      { type: 'memberRemove', member: 'b' },
      { type: 'leaseList', after: null, limit: 0 },
    ];
    expect(taken.filter((request) => node.refuses(request))).toEqual([]);
    const refused: readonly Request[] = [
      put,
      txn(del, put),
      { type: 'leaseGrant', leaseId: null, ttlMs: 1000 },
      { type: 'register', ...service, instance, leaseId: null, replace: false },
    ];
    expect(refused.filter((request) => !node.refuses(request))).toEqual([]);
    expect(node.message).toMatch(/^The leader "n1" has 2.5 MiB left .* keeps 3.0 MiB in reserve$/);
    node.freeBytes = 3 * mebi;
    await node.pass(1000);
    expect(node.refuses()).toBe(false);
    expect(node.changes).toBe(2);
    expect(node.sent).toEqual([]);
  });

  test('refuses once those with room are no majority, of either side', () => {
    const node = new Node();
    node.hear('b');
    expect(node.refuses()).toBe(false);
    node.hear('c');
    expect(node.refuses()).toBe(true);
    expect(node.message).toMatch(/^Too many voters have less room .*: c, n2$/);
    node.voters = ['a', 'b', 'd', 'e'];
    expect(node.refuses()).toBe(false);
    node.votersOutgoing = ['a', 'b', 'c'];
    expect(node.refuses()).toBe(true);
  });

  test('forgets who does not say it again, or takes it back', async () => {
    const node = new Node();
    node.hear('b', 'c');
    await node.pass(2999);
    expect(node.refuses()).toBe(true);
    await node.pass(1);
    expect(node.refuses()).toBe(false);
    node.hear('b', 'c');
    node.room.heard({ type: 'spaceReport', from: 'b', to: 'a', isShort: false });
    expect(node.refuses()).toBe(false);
  });
});

test('a leader refuses at its quota, and says long before that it is near', async () => {
  const node = new Node();
  const at = async (mebibytes: number) => {
    node.storedBytes = mebibytes * mebi;
    await node.pass(1000);
    return [node.room.quotaTrouble, node.refuses(), node.refuses(del)];
  };
  expect(await at(79)).toEqual([null, false, false]);
  expect(await at(80)).toEqual(['quotaNear', false, false]);
  expect(await at(100)).toEqual(['quotaFull', true, false]);
  expect(node.message).toMatch(
    /^100.0 MiB are stored .* the quota is 100.0 MiB: delete or compact/,
  );
  expect(await at(76)).toEqual(['quotaNear', false, false]);
  expect(await at(74)).toEqual([null, false, false]);
  expect(node.changes).toBe(4);
  node.role = 'follower';
  expect(await at(100)).toEqual(['quotaFull', false, false]);
});

test('a follower refuses nothing, and tells the leader each second until it has room', async () => {
  const node = new Node();
  node.role = 'follower';
  node.waitsForSpace = true;
  for (let look = 0; look < 30; look++) await node.pass(100);
  expect(node.room.isShort).toBe(true);
  expect(node.refuses()).toBe(false);
  const report = { type: 'spaceReport', from: 'a', to: 'b' } as const;
  expect(node.sent).toEqual(Array.from({ length: 3 }, () => ({ ...report, isShort: true })));
  node.waitsForSpace = false;
  await node.pass(1000);
  await node.pass(1000);
  expect(node.sent.slice(3)).toEqual([{ ...report, isShort: false }]);
});
