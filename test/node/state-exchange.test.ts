/** States between members: what the leader keeps for a receiver, and what people hear of it. */
import { expect, test } from 'vitest';
import { zeroHash } from '../../src/base/hash.ts';
import { createPrng } from '../../src/base/prng.ts';
import type { NodeMessage } from '../../src/format/node-message.ts';
import { StateExchange } from '../../src/node/state-exchange.ts';
import type { PeerProgress, Status } from '../../src/raft/types.ts';
import type { CheckpointHeader, Staging } from '../../src/storage/types.ts';
import { VirtualClock } from '../sim/clock.ts';
import { put, TestMachine } from '../state-machine/machine.ts';
import { type Told, transferLog } from './transfers.ts';

const [self, sender, leader, other] = ['a', 'b', 'c', 'd'].map((letter) => letter.repeat(16)) as [
  string,
  string,
  string,
  string,
];
const clusterId = '1'.repeat(16);
const incarnation = '2'.repeat(16);
const configuration = {
  ...{ members: [], voters: [], votersOutgoing: [], learners: [], learnersNext: [] },
};
const header: CheckpointHeader = {
  ...{ applied: { term: 1, index: 5000 }, configuration, clusterId, incarnation, featureLevel: 1 },
  ...{
    revision: 1,
    logTimeMs: 0,
    wallTimeMs: 0,
    compactRevisions: [0, 0],
    removedRevisions: [0, 0],
    timeMarks: [],
    digest: zeroHash,
  },
};
const staging: Staging = {
  write: () => Promise.resolve(),
  finish: () => Promise.reject(new Error('It never ends')),
  abort: () => Promise.resolve(),
};

/** The first records of a state; it has more. */
const records = (() => {
  const machine = new TestMachine();
  machine.apply(['a', 'b', 'c', 'd'].map((key) => put(key, 'value')));
  return machine.records.page('', '\xff').slice(0, 3);
})();

class Exchanging {
  readonly clock = new VirtualClock();
  readonly sent: NodeMessage[] = [];
  readonly told: Told[] = [];
  logFirst = 1;
  /** What this node knows to be committed. */
  commitIndex = 1;
  isStateMissing = false;
  readonly exchange: StateExchange;

  constructor() {
    const exchanging = this;
    this.exchange = new StateExchange({
      ...{
        id: self,
        birth: { clusterId, incarnation, configuration, configurationIndex: 0 },
        clock: this.clock,
      },
      storage: {
        get logFirst() {
          return exchanging.logFirst;
        },
        get isStateMissing() {
          return exchanging.isStateMissing;
        },
        checkpointNow: () => Promise.resolve(),
        openSnapshot: () => null,
        stage: () => Promise.resolve(staging),
      },
      ...{ featureLevelMax: 2, random: createPrng(1), owedPatienceMs: 30_000, term: () => 1 },
      status: () => this,
      send: (message) => this.sent.push(message),
      ...{ received() {}, reach() {}, onWrongDigest() {} },
      transfers: transferLog(this.clock, this.told),
      failed: (error) => {
        throw error;
      },
    });
  }

  /** Whom this node tells after a while that it takes over a state. */
  async noticed(leaderId: string, passMs: number): Promise<readonly string[]> {
    const before = this.sent.length;
    this.clock.step(this.clock.monotonic() + passMs);
    this.#sweep(leaderId, []);
    await turn();
    const notices = this.sent.slice(before).filter(({ type }) => type === 'snapshotNotice');
    return notices.map(({ to }) => to);
  }

  leads(progress: Partial<PeerProgress>): number | null {
    const one = { id: other, matchIndex: 10, isRecentlyActive: true, state: 'snapshot' } as const;
    this.#sweep(self, [{ ...one, ...progress }]);
    return this.exchange.floor;
  }

  /** One more piece of the state that `sender` sends, which is one record. */
  async receive(at: number): Promise<void> {
    await turn();
    const asked = this.sent.findLast((message) => message.type === 'snapshotRequest');
    const after = records[at - 1]?.[0] ?? '';
    expect(asked).toMatchObject({ to: sender, after });
    const transfer = asked?.transfer ?? '';
    const piece = { records: records.slice(at, at + 1), header: at === 0 ? header : null };
    const rest = { from: sender, to: self, transfer, after, term: 1, isLast: false };
    this.hear({ type: 'snapshotChunk', ...rest, ...piece });
    await turn();
  }

  hear(message: Parameters<StateExchange['onMessage']>[0]): void {
    this.exchange.onMessage(message, configuration);
  }

  #sweep(leaderId: string, progress: readonly PeerProgress[]): void {
    const role = leaderId === self ? 'leader' : 'follower';
    const rest = {
      currentTerm: 1,
      votedFor: null,
      commitIndex: 1,
      lastApplied: 1,
      transferee: null,
    };
    const status: Status = {
      ...{ ...rest, id: self, role, leaderId, lastIndex: 9000, progress },
      ...{ configuration, configurationIndex: 0 },
    };
    this.exchange.sweep(status, 8000);
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

const notice = { type: 'snapshotNotice', from: other, to: self, index: 5000 } as const;

test('a leader keeps its log for whoever says that it takes over a state of another member', () => {
  const node = new Exchanging();
  expect(node.leads({})).toBeNull();
  node.hear(notice);
  expect(node.leads({})).toBe(5000);
  node.clock.step(29_000);
  expect(node.leads({}), 'for a while without any more news').toBe(5000);
  node.hear(notice);
  node.clock.step(32_000);
  expect(node.leads({})).toBe(5000);
  expect(node.leads({ state: 'replicate', matchIndex: 8500 }), 'until it is there').toBeNull();
});

test('but not in vain, when its log begins later than that state', () => {
  const node = new Exchanging();
  node.logFirst = 5001;
  node.hear(notice);
  expect(node.leads({})).toBe(5000);
  const late = new Exchanging();
  late.logFirst = 5002;
  late.hear(notice);
  expect(late.leads({})).toBeNull();
});

test('a node that does not lead keeps nothing for those who take it for the leader', async () => {
  const node = new Exchanging();
  node.hear(notice);
  await node.noticed(leader, 0);
  await node.noticed(leader, 100);
  expect(node.exchange.floor).toBeNull();
});

test('whoever takes over a state tells the leader so, unless the leader sends it', async () => {
  const node = new Exchanging();
  node.exchange.fetch(sender);
  expect(await node.noticed(leader, 0), 'nothing has come').toEqual([]);
  await node.receive(0);
  expect(await node.noticed(sender, 100)).toEqual([]);
  expect(await node.noticed(leader, 100)).toEqual([leader]);
  expect(await node.noticed(leader, 5000), 'nothing has come since').toEqual([]);
  await node.receive(1);
  expect(await node.noticed(leader, 100)).toEqual([leader]);
  await node.receive(2);
  expect(await node.noticed(leader, 100), 'not all the time').toEqual([]);
  expect(await node.noticed(other, 100), 'another leader at once').toEqual([other]);
});

test('the log says what is offered, what comes, and what is given up', async () => {
  const node = new Exchanging();
  node.leads({});
  node.leads({});
  node.leads({ state: 'replicate' });
  node.leads({ matchIndex: 20 });
  node.exchange.fetch(sender);
  await node.receive(0);
  await node.receive(1);
  await node.noticed(leader, 12_000);
  const bytes = records
    .slice(0, 2)
    .reduce((sum, [key, value]) => sum + key.length + value.length, 0);
  expect(node.told.map(({ level, fields }) => ({ level, ...fields }))).toEqual([
    { level: 'info', to: other, index: 10 },
    { level: 'info', to: other, index: 20 },
    { level: 'info', from: sender, index: 5000, bytes: 0, ms: 0 },
    { level: 'warn', from: sender, index: 5000, bytes, ms: 12_000 },
  ]);
  expect(node.told.at(-1)?.message).toContain('fallen silent');
});

test.each([
  { isStateMissing: false, goesOn: false },
  { isStateMissing: true, goesOn: true },
])(
  'a state that the log has come past is fetched no further, unless this one is lost: %o',
  async ({ isStateMissing, goesOn }) => {
    const node = new Exchanging();
    node.isStateMissing = isStateMissing;
    node.exchange.fetch(sender);
    await node.receive(0);
    node.commitIndex = 4999;
    await node.receive(1);
    node.commitIndex = 5000;
    await node.receive(2);
    expect(node.told.slice(1).map(({ level }) => level)).toEqual(goesOn ? [] : ['info']);
    node.exchange.fetch(leader);
    await turn();
    const requests = node.sent.filter(({ type }) => type === 'snapshotRequest');
    expect(requests.at(-1)?.to, 'whether another one may begin').toBe(goesOn ? sender : leader);
  },
);
