/** What a member does about entries that are newer than what it knows. */
import { expect, test } from 'vitest';
import { Applier } from '../../src/node/applier.ts';
import type { Configuration } from '../../src/raft/types.ts';
import { encodeCommandEntry } from '../../src/state-machine/command-codec.ts';
import type { Command } from '../../src/state-machine/types.ts';
import { leaseId, put, TestMachine } from '../state-machine/machine.ts';

const configuration: Configuration = {
  members: [],
  voters: [],
  votersOutgoing: [],
  learners: [],
  learnersNext: [],
};

function applied(featureLevelMax: number, commands: readonly Command[]): TestMachine {
  const tested = new TestMachine();
  const command = encodeCommandEntry({
    ...{ logTimeMs: 5, wallTimeMs: 6 },
    commands: commands.map((one) => ({ session: null, command: one })),
  });
  const applier = new Applier({
    ...{ machine: tested.machine, configuration, featureLevelMax, last: { term: 1, index: 0 } },
    backlogBytesMax: 1000,
    storage: {
      ...{ overlay: { bytes: 0, read: () => null, write() {} }, applied() {} },
      readLog: () => Promise.reject(new Error('All is in memory')),
    },
    cluster: { clusterId: 'c'.repeat(16), incarnation: 'e'.repeat(16) },
    handlers: {
      applied() {},
      configured() {},
      changed() {},
      reach() {},
      refilled() {},
      failed() {},
    },
  });
  applier.push([{ type: 'command', term: 1, index: 1, command }]);
  try {
    while (applier.run(() => true));
  } catch (error) {
    expect(tested.machine).toMatchObject({ appliedIndex: 0, revision: 1, featureLevel: 1 });
    throw error;
  }
  return tested;
}

const newer: readonly Command[] = [
  { type: 'raiseFeatureLevel', level: 2 },
  {
    ...{ type: 'deregister', namespace: 'default', service: 'orders' },
    ...{ id: 'one', leaseId: leaseId(1) },
  },
];

test.each(newer)('an entry with a $type of a newer level has no effect and stops it', (command) => {
  expect(() => applied(1, [put('a'), command])).toThrow(
    expect.objectContaining({
      code: 'formatTooNew',
      message: expect.stringContaining('start a newer version'),
    }),
  );
  expect(applied(2, [put('a'), command]).machine.appliedIndex).toBe(1);
});
