import { expect, test } from 'vitest';
import { Queries } from '../../src/node/queries.ts';
import { Reads } from '../../src/node/reads.ts';
import type { MembershipReport, ViewBatch, ViewSink } from '../../src/node/types.ts';
import { ViewStreams } from '../../src/node/view-streams.ts';
import { WatchHub } from '../../src/node/watch-hub.ts';
import type { RegisteredInstance } from '../../src/registry/types.ts';
import type { Command } from '../../src/state-machine/types.ts';
import { TestMachine } from '../state-machine/machine.ts';
import { Turns } from './turns.ts';

const name = { namespace: 'default', service: 'api' };
const nobody: MembershipReport = { members: [], applicants: [], lastIndex: 0 };

function register(id: string): Command {
  const instance = { id, address: '127.0.0.1:80', tags: [], metadata: [] };
  return { type: 'register', ...name, instance, leaseId: null, replace: true };
}

class Sink implements ViewSink {
  readonly seen: string[] = [];
  isFull = false;

  view(revision: number, instances: readonly RegisteredInstance[]): boolean {
    this.seen.push(`${revision} has ${instances.map(({ id }) => id).join(' ')}`);
    return !this.isFull;
  }

  send({ revision, events }: ViewBatch): boolean {
    const changes = events.map((event) =>
      event.type === 'set' ? `+${event.instance.id}` : `-${event.id}`,
    );
    this.seen.push(`${revision} ${changes.join(' ')}`);
    return !this.isFull;
  }

  end(error: Error): void {
    this.seen.push(error.message);
  }
}

test('a view that was paused begins anew where what it missed is compacted', () => {
  const machine = new TestMachine();
  const turns = new Turns();
  const queries = new Queries(
    machine.machine,
    turns,
    () => nobody,
    (error) => expect.fail(String(error)),
  );
  const hub = new WatchHub(queries, turns);
  const reads = new Reads(turns, { timeoutMs: 1000, behindMs: 1000 });
  const views = new ViewStreams(hub, queries, reads);
  const write = (...commands: Command[]) => hub.applied(machine.apply(commands).revisions);
  write(register('one'));
  const sink = new Sink();
  const stream = views.open({ ...name, minRevision: 0 }, sink);
  reads.run(0, queries.revision, () => true);
  sink.isFull = true;
  write(register('two'));
  write(register('three'));
  write({ type: 'deregister', ...name, id: 'one', leaseId: null });
  write({ type: 'compact', space: 'registry', revision: queries.revision });
  sink.isFull = false;
  stream.resume();
  turns.settle();
  write(register('four'));
  expect(sink.seen).toEqual(['2 has one', '3 +two', '5 has three two', '6 +four']);
  stream.cancel();
  write(register('five'));
  expect(sink.seen).toHaveLength(4);
});
