import { expect, test } from 'vitest';
import { RollcallError } from '../../src/base/errors.ts';
import { ConfigurationChanges } from '../../src/node/configuration-changes.ts';
import type { Configuration } from '../../src/raft/types.ts';

const configuration: Configuration = {
  ...{ members: [], voters: [], votersOutgoing: [], learners: [], learnersNext: [] },
};
const report = () => ({ revision: 1, report: { members: [], applicants: [], lastIndex: 9 } });

function asked(): { readonly changes: ConfigurationChanges; readonly replies: unknown[] } {
  const replies: unknown[] = [];
  const changes = new ConfigurationChanges(5000);
  changes.begin(1, (reply) => replies.push(reply), 0);
  changes.accepted({ id: 1, entry: { term: 2, index: 7 } });
  return { changes, replies };
}

test('another entry in the place of a change says that it did not happen', () => {
  const { changes, replies } = asked();
  changes.applied({ term: 3, index: 8 }, configuration, report);
  expect(replies).toMatchObject([{ code: 'leadershipLost', definite: true }]);
});

test('a state in the place of the log leaves a change in doubt, whatever comes later', () => {
  const { changes, replies } = asked();
  changes.restored(6);
  expect(replies).toEqual([]);
  changes.restored(7);
  changes.applied({ term: 3, index: 8 }, configuration, report);
  expect(replies).toHaveLength(1);
  expect(replies[0]).toBeInstanceOf(RollcallError);
  expect(replies).toMatchObject([{ code: 'leadershipLost', definite: false }]);
});
