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

/**
 * Three members to the third of which comes at once what the first two have told of these indexes
 * meanwhile. Returns who found itself wrong, and how many reports it took.
 */
function dispute(
  indexes: readonly number[],
  digestOf: (at: number, index: number) => Hash64,
): { readonly found: readonly string[]; readonly count: number } {
  const found: string[] = [];
  const members = ids.map((id, at) => {
    const digests = new Digests(
      id,
      (report) => sent.push(report),
      () => found.push(`n${at + 1}`),
    );
    for (let index = 1; index <= 400; index++) {
      digests.applied(index, { digest: digestOf(at, index), revision: index });
    }
    return digests;
  });
  let sent = indexes.map((index, position): DigestReport => {
    const at = position % 2;
    const link = { from: ids[at] as string, to: ids[2] as string };
    return { type: 'digestReport', ...link, index, digest: digestOf(at, index), asks: false };
  });
  let count = 0;
  for (let round = 0; sent.length > 0; round++) {
    expect(round, 'they do not fall silent').toBeLessThan(20);
    const frames = sent;
    sent = [];
    count += frames.length;
    // What goes to one member in a round arrives together.
    for (const [at, id] of ids.entries()) {
      for (const report of frames)
        if (report.to === id) members[at]?.onReport(report, configuration);
    }
  }
  return { found, count };
}

const thirdIsWrong = (at: number, index: number): Hash64 => ({
  high: at === 2 ? 2 : 1,
  low: index,
});
const allDiffer = (at: number, index: number): Hash64 => ({ high: at, low: index });
/** Each asks two others once about each index, who answer once. */
const reportsMax = (indexes: number): number => indexes + 3 * 2 * 2 * indexes;

test('reports of several indexes at once do not end each other', () => {
  expect(dispute([100, 150, 200, 250], thirdIsWrong).found).toEqual(['n3']);
});

test('nobody is asked about an index twice, though nothing comes of it', () => {
  const { found, count } = dispute([100, 150, 200, 250], allDiffer);
  expect(found).toEqual([]);
  expect(count).toBeLessThanOrEqual(reportsMax(4));
});

test('nor when there are so many that some are forgotten', () => {
  const indexes = Array.from({ length: 60 }, (_, at) => 300 + ((at * 37) % 60));
  expect(dispute(indexes, thirdIsWrong).found).toEqual(['n3']);
  expect(dispute(indexes, allDiffer).count).toBeLessThanOrEqual(reportsMax(60));
});
