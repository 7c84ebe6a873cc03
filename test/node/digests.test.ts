/** Digests between members that compare them at equal indexes. */
import { expect, test } from 'vitest';
import type { Hash64 } from '../../src/base/hash.ts';
import type { DigestReport } from '../../src/format/node-message.ts';
import { Digests } from '../../src/node/digests.ts';
import type { Configuration } from '../../src/raft/types.ts';

const ids = ['1', '2', '3'].map((digit) => digit.repeat(16));
const configuration: Configuration = {
  members: ids.map((id) => ({
    ...{ id, name: `n${id[0]}`, peerAddress: 'a:1', clientAddress: 'a:2', featureLevel: 1 },
    ...{ replaces: null, autoPromote: false },
  })),
  voters: ids,
  votersOutgoing: [],
  learners: [],
  learnersNext: [],
};

const right: Hash64 = { high: 1, low: 2 };
const wrong: Hash64 = { high: 1, low: 3 };

/** Three members that exchange reports until all are silent; says who found itself wrong. */
function exchange(digests: readonly (Hash64 | null)[], teller: number): string[] {
  const queue: DigestReport[] = [];
  const found: string[] = [];
  const members = ids.map((id, at) => {
    const member = new Digests(
      id,
      (report) => queue.push(report),
      () => found.push(`n${at + 1}`),
    );
    const digest = digests[at];
    if (digest) member.applied(100, { digest, revision: 7 });
    return member;
  });
  members[teller]?.tell(configuration);
  for (let report = queue.shift(); report !== undefined; report = queue.shift()) {
    const { to } = report;
    members[ids.indexOf(to)]?.onReport(report, configuration);
  }
  return found;
}

test('equal digests trouble nobody', () => {
  expect(exchange([right, right, right], 0)).toEqual([]);
});

test.each([0, 1, 2])(
  'the one that two others contradict is wrong, whoever speaks first (%i)',
  (teller) => {
    expect(exchange([right, wrong, right], teller)).toEqual(['n2']);
    expect(exchange([wrong, right, right], teller)).toEqual(['n1']);
  },
);

test('two alone cannot tell which of them is wrong', () => {
  expect(exchange([right, wrong, null], 0)).toEqual([]);
});

test('who has not applied the entry yet says nothing', () => {
  expect(exchange([right, null, null], 0)).toEqual([]);
});
