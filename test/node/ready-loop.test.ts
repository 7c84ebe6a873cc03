/** The loop between the core and its disk. */
import { expect, test } from 'vitest';
import { ReadyLoop } from '../../src/node/ready-loop.ts';
import { startRaft } from '../../src/node/start-raft.ts';
import { bounds } from '../../src/node/timing.ts';
import { VirtualClock } from '../sim/clock.ts';

const id = 'a'.repeat(16);
const member = { id, name: 'n1', peerAddress: 'a:1', clientAddress: 'a:2', featureLevel: 1 };
const start = {
  last: { term: 0, index: 0 },
  configuration: {
    members: [{ ...member, replaces: null, autoPromote: false }],
    ...{ voters: [id], votersOutgoing: [], learners: [], learnersNext: [] },
  },
};

/** A lone member that campaigns, and whose disk has not answered yet. */
class Waiting {
  readonly failures: unknown[] = [];
  readonly loop: ReadyLoop;
  fail: ((error: Error) => void) | null = null;

  /** `tick` lets it take a turn. */
  constructor(
    tick = (loop: ReadyLoop, clock: VirtualClock): void => {
      loop.step({ type: 'tick' });
      clock.step(Number.MAX_VALUE);
    },
  ) {
    const clock = new VirtualClock();
    const hardState = { currentTerm: 0, votedFor: null, commitIndex: 0 };
    const raft = startRaft(id, () => 0, { hardState, start, entries: [] }, bounds, null);
    const storage = {
      append: () => new Promise<void>((_, reject) => (this.fail = reject)),
      readLog: () => Promise.reject(new Error('Nothing is read here')),
    };
    const transport = {
      ...{ opened() {}, send() {}, flush() {}, attach() {} },
      ...{ setConfiguration() {}, setFeatureLevel() {} },
    };
    this.loop = new ReadyLoop(raft, storage, transport, clock, {
      ...{ beforeTurn() {}, ready() {}, afterTurn() {}, reach() {} },
      failed: (error) => this.failures.push(error),
      inflightBytesMax: bounds.inflightBytesMax,
    });
    for (let ticks = 0; this.fail === null && ticks < 1000; ticks++) tick(this.loop, clock);
  }

  async failed(error: Error): Promise<readonly unknown[]> {
    this.fail?.(error);
    await new Promise((resolve) => setImmediate(resolve));
    return this.failures;
  }
}

test('a failed append ends the member', async () => {
  const error = new Error('EIO');
  expect(await new Waiting().failed(error)).toEqual([error]);
});

test('one that was given up because the member closes does not', async () => {
  const waiting = new Waiting();
  waiting.loop.close();
  expect(await waiting.failed(new Error('The storage was closed'))).toEqual([]);
});

test('what is done once the sockets have been read can have its turn at once', () => {
  const waiting = new Waiting((loop) => loop.turnAfter(() => loop.step({ type: 'tick' })));
  expect(waiting.fail).not.toBeNull();
});
