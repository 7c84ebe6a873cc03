import { expect, test } from 'vitest';
import { zeroHash } from '../../src/base/hash.ts';
import type { ReceivedState } from '../../src/node/snapshot-fetch.ts';
import { startRaft } from '../../src/node/start-raft.ts';
import { Takeover } from '../../src/node/takeover.ts';
import { bounds } from '../../src/node/timing.ts';
import type { Configuration, Raft, Ready } from '../../src/raft/types.ts';
import type { Staging } from '../../src/storage/types.ts';
import { TestMachine } from '../state-machine/machine.ts';
import { type Told, transferLog } from './transfers.ts';

const ids = ['00000000000000a1', '00000000000000a2', '00000000000000a3'] as const;
const configuration: Configuration = {
  members: ids.map((id, at) => ({
    ...{ id, name: `n${at + 1}`, peerAddress: `n${at + 1}:1`, clientAddress: `n${at + 1}:2` },
    ...{ featureLevel: 1, replaces: null, autoPromote: false },
  })),
  voters: ids,
  votersOutgoing: [],
  learners: [],
  learnersNext: [],
};
const start = { last: { term: 0, index: 0 }, configuration };

/**
 * A follower with an empty log, and a staged state of which is known whether it was given up. A lost state
 * is missing; then `storedIndex` says how far the log on the disk goes, and `startIndex` where the core began.
 */
class Follower {
  readonly raft: Raft;
  readonly takeover: Takeover;
  isAborted = false;
  installedAt = 0;
  isSettled = false;
  storedIndex = 0;
  readonly startIndex: number;
  readonly told: Told[] = [];

  constructor(isStateMissing = false, startIndex = 0) {
    this.startIndex = startIndex;
    const hardState = { currentTerm: 0, votedFor: null, commitIndex: 0 };
    this.raft = startRaft(ids[0], () => 0.5, { hardState, start, entries: [] }, bounds, null);
    this.takeover = new Takeover({
      storage: {
        isStateMissing,
        start: { last: { term: 1, index: this.startIndex }, configuration },
        holds: ({ index }) => index <= this.storedIndex,
        restoreState: () => Promise.resolve(),
      },
      status: () => this.raft.status(),
      step: (input) => this.raft.step(input),
      fetch: () => {},
      settled: () => {
        this.isSettled = true;
      },
      install: ({ header }) => {
        this.installedAt = header.applied.index;
      },
      transfers: transferLog({ monotonic: () => 700 }, this.told),
      failed: (error) => {
        throw error;
      },
    });
  }

  /** The first entry of a leader, which says that so much is committed. */
  hearFirst(leaderCommit: number): void {
    this.raft.step({
      type: 'message',
      message: {
        ...{ type: 'appendEntries', from: ids[1], to: ids[0], term: 1, leaderCommit },
        prev: { term: 0, index: 0 },
        entries: [{ type: 'noop', term: 1, index: 1 }],
      },
    });
  }

  receive(index: number): void {
    this.takeover.received(stateAt(index, () => this.#abort()));
  }

  ready(): Ready {
    const ready = this.raft.ready();
    if (ready === null) throw new Error('Nothing is ready');
    return ready;
  }

  #abort(): Promise<void> {
    this.isAborted = true;
    return Promise.resolve();
  }
}

function stateAt(index: number, abort: () => Promise<void>): ReceivedState {
  const staging: Staging = {
    write: () => Promise.resolve(),
    finish: () => Promise.reject(new Error('It is finished')),
    abort,
  };
  const header = {
    ...{ applied: { term: 1, index }, configuration, clusterId: ids[1], incarnation: ids[2] },
    ...{
      featureLevel: 1,
      revision: 1,
      logTimeMs: 0,
      wallTimeMs: 0,
      compactRevisions: [0, 0],
      removedRevisions: [0, 0],
      timeMarks: [],
    },
    digest: zeroHash,
  };
  const passage = { peer: ids[1], index, sinceMs: 200, bytes: 1000 };
  return { header, term: 1, machine: new TestMachine().machine, staging, passage };
}

test('a state that the core has taken is kept until it is durable, however long the disk is busy', () => {
  const follower = new Follower();
  follower.hearFirst(0);
  const busy = follower.ready().append;
  follower.receive(9);
  follower.takeover.sweep();
  expect(follower.isAborted).toBe(false);

  follower.raft.step({ type: 'persisted', append: busy?.number ?? 0 });
  const taking = follower.ready().append;
  expect(taking?.snapshot?.last.index).toBe(9);
  follower.takeover.sweep();
  expect(follower.isAborted).toBe(false);

  follower.raft.step({ type: 'persisted', append: taking?.number ?? 0 });
  follower.takeover.restored(follower.ready().restored?.last.index ?? 0);
  expect(follower.installedAt).toBe(9);
  expect(follower.isSettled).toBe(true);
});

test('a state that says no more than the log is given up', async () => {
  const follower = new Follower();
  follower.hearFirst(1);
  follower.receive(1);
  await Promise.resolve();
  expect(follower.isAborted).toBe(true);
  expect(follower.isSettled).toBe(true);
  expect(follower.installedAt).toBe(0);
});

test('a lost state is not made good by one that ends where the log is still being written', async () => {
  const follower = new Follower(true);
  follower.hearFirst(1);
  expect(follower.raft.status().commitIndex).toBe(1);
  follower.receive(1);
  await Promise.resolve();
  expect(follower.isAborted).toBe(true);

  follower.storedIndex = 1;
  follower.receive(1);
  await Promise.resolve();
  expect(follower.installedAt).toBe(1);
});

test('a lost state is not made good by one that ends before the core goes on', async () => {
  const follower = new Follower(true, 6);
  follower.storedIndex = 9;
  follower.raft.step({
    type: 'message',
    message: {
      ...{ type: 'appendEntries', from: ids[1], to: ids[0], term: 1, leaderCommit: 9 },
      prev: { term: 0, index: 0 },
      entries: Array.from({ length: 9 }, (_, at) => ({ type: 'noop', term: 1, index: at + 1 })),
    },
  });
  for (const [index, isTaken] of [
    [5, false],
    [6, true],
  ] as const) {
    follower.isAborted = false;
    follower.receive(index);
    await Promise.resolve();
    expect(follower.isAborted, `a state at ${index}`).toBe(!isTaken);
  }
  expect(follower.installedAt).toBe(6);
});
