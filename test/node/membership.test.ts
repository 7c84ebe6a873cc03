/** What a leader changes by itself, and what becomes of operators' wishes. */
import { describe, expect, test } from 'vitest';
import { RollcallError } from '../../src/base/errors.ts';
import { Membership } from '../../src/node/membership.ts';
import type { Applicant } from '../../src/node/types.ts';
import type { Member, PeerProgress, Status } from '../../src/raft/types.ts';

const id = (digit: string): string => digit.repeat(16);

function applicant(name: string, memberId: string, port = 1): Applicant {
  const peerAddress = `10.0.0.${port}:4641`;
  return { id: memberId, name, peerAddress, clientAddress: `10.0.0.${port}:4640`, featureLevel: 1 };
}

function member(name: string, memberId: string, more: Partial<Member> = {}): Member {
  const { id: _, ...rest } = applicant(name, memberId);
  return { id: memberId, ...rest, replaces: null, autoPromote: false, ...more };
}

function heard(memberId: string, matchIndex = 5000): PeerProgress {
  return { id: memberId, matchIndex, state: 'replicate', isRecentlyActive: true };
}

const silent = (memberId: string): PeerProgress => ({
  ...heard(memberId),
  state: 'probe',
  isRecentlyActive: false,
});

/** n1 leads n2 and n3; `more` are learners. */
function leading(options: { more?: readonly Member[]; progress: readonly PeerProgress[] }): Status {
  const voters = [member('n1', id('1')), member('n2', id('2')), member('n3', id('3'))];
  const learners = options.more ?? [];
  return {
    id: id('1'),
    role: 'leader',
    leaderId: id('1'),
    currentTerm: 3,
    votedFor: id('1'),
    commitIndex: 5000,
    lastIndex: 5000,
    lastApplied: 5000,
    transferee: null,
    configurationIndex: 1,
    configuration: {
      members: [...voters, ...learners],
      voters: voters.map((one) => one.id),
      votersOutgoing: [],
      learners: learners.map((one) => one.id),
      learnersNext: [],
    },
    progress: options.progress,
  };
}

const all = [heard(id('2')), heard(id('3'))];
const fresh = (levelAllowed = 1): Membership =>
  new Membership({
    ...{ applicantMs: 5000, retryMs: 1000, listenMs: 0 },
    levelAllowed: () => levelAllowed,
  });

describe('a leader by itself', () => {
  test('changes nothing while nobody asks', () => {
    expect(fresh().next(leading({ progress: all }), 0)).toBeNull();
  });

  test('leaves a stranger waiting', () => {
    const membership = fresh();
    membership.knock(applicant('n4', id('4'), 4), 0);
    const status = leading({ progress: all });
    expect(membership.next(status, 10)).toBeNull();
    expect(membership.report(status).applicants).toMatchObject([{ name: 'n4' }]);
  });

  test('takes in the successor of a silent member', () => {
    const membership = fresh();
    membership.knock(applicant('n3', id('a')), 0);
    const status = leading({ progress: [heard(id('2')), silent(id('3'))] });
    expect(membership.next(status, 10)).toEqual([
      {
        type: 'add',
        member: { ...applicant('n3', id('a')), replaces: id('3'), autoPromote: true },
      },
    ]);
  });

  test('replaces nobody who answers', () => {
    const membership = fresh();
    membership.knock(applicant('n3', id('a')), 0);
    membership.knock(applicant('n1', id('b')), 0);
    expect(membership.next(leading({ progress: all }), 10)).toBeNull();
  });

  test('replaces the replacement that was lost before it got to vote', () => {
    const membership = fresh();
    membership.knock(applicant('n3', id('b')), 0);
    const lost = member('n3', id('a'), { replaces: id('3'), autoPromote: true });
    const progress = [heard(id('2')), silent(id('3')), silent(id('a'))];
    expect(membership.next(leading({ more: [lost], progress }), 10)).toEqual([
      { type: 'remove', id: id('a') },
      {
        type: 'add',
        member: { ...applicant('n3', id('b')), replaces: id('3'), autoPromote: true },
      },
    ]);
  });

  test('promotes a learner that has caught up, and no other', () => {
    const learner = member('n4', id('4'), { autoPromote: true });
    const status = (matchIndex: number, more: Partial<PeerProgress> = {}): Status =>
      leading({ more: [learner], progress: [...all, { ...heard(id('4'), matchIndex), ...more }] });
    expect(fresh().next(status(4990), 0)).toEqual([{ type: 'promote', id: id('4') }]);
    expect(fresh().next(status(100), 0)).toBeNull();
    expect(fresh().next(status(4990, { isRecentlyActive: false }), 0)).toBeNull();
    expect(fresh().next(status(4990, { state: 'snapshot' }), 0)).toBeNull();
  });

  test('leaves a learner that is to stay one', () => {
    const learner = member('n4', id('4'));
    const progress = [...all, heard(id('4'))];
    expect(fresh().next(leading({ more: [learner], progress }), 0)).toBeNull();
  });
});

describe('a leader that would change something', () => {
  test('waits after a refusal, and while another change is under way', () => {
    const membership = fresh();
    membership.greeted(applicant('n2', id('2'), 7));
    const status = leading({ progress: all });
    membership.refused(membership.next(status, 0) ?? [], 0);
    expect(membership.next(status, 999)).toBeNull();
    expect(membership.next(status, 1000)).not.toBeNull();
    const joint = { ...status.configuration, votersOutgoing: [id('1')] };
    expect(membership.next({ ...status, configuration: joint }, 1000)).toBeNull();
  });

  test('goes on with others when one was refused', () => {
    const membership = fresh();
    membership.knock(applicant('n3', id('a')), 0);
    membership.knock(applicant('n2', id('b'), 2), 0);
    membership.greeted(applicant('n1', id('1'), 7));
    const status = leading({ progress: [silent(id('2')), silent(id('3'))] });
    const subjects = [0, 100, 200, 300, 1000].map((nowMs) => {
      const changes = membership.next(status, nowMs);
      if (changes === null) return null;
      membership.refused(changes, nowMs);
      const [change] = changes;
      return change !== undefined && 'member' in change ? change.member.id : null;
    });
    expect(subjects).toEqual([id('a'), id('b'), id('1'), null, id('a')]);
  });

  test('takes nobody for silent before it has listened for a while', () => {
    const membership = new Membership({
      ...{ applicantMs: 5000, retryMs: 1000, listenMs: 600 },
      levelAllowed: () => 1,
    });
    membership.knock(applicant('n3', id('a')), 1000);
    const status = leading({ progress: [heard(id('2')), silent(id('3'))] });
    expect(membership.next({ ...status, role: 'follower' }, 1000)).toBeNull();
    expect(membership.next(status, 1100)).toBeNull();
    expect(membership.next(status, 1699)).toBeNull();
    expect(membership.next(status, 1700)).not.toBeNull();
    expect(membership.next({ ...status, currentTerm: 4 }, 1800)).toBeNull();
  });

  test('does nothing when it does not lead', () => {
    const membership = fresh();
    membership.greeted(applicant('n2', id('2'), 7));
    expect(membership.next({ ...leading({ progress: all }), role: 'follower' }, 0)).toBeNull();
  });
});

describe('an id that was a member', () => {
  test('is not taken in again, though it seems to ask still', () => {
    const membership = fresh();
    membership.knock(applicant('n3', id('a')), 0);
    const lost = member('n3', id('a'), { replaces: id('3'), autoPromote: true });
    membership.admitted(leading({ more: [lost], progress: [] }).configuration);
    membership.knock(applicant('n3', id('a')), 5);
    const next = member('n3', id('b'), { replaces: id('3'), autoPromote: true });
    const progress = [heard(id('2')), silent(id('3')), silent(id('b'))];
    expect(membership.next(leading({ more: [next], progress }), 10)).toBeNull();
  });
});

describe('feature levels', () => {
  test('are followed, also when they fall while the cluster does not need them', () => {
    const membership = fresh(1);
    const update = (name: string, memberId: string, featureLevel: number): unknown => [
      { type: 'update', member: member(name, memberId, { featureLevel }) },
    ];
    membership.greeted({ ...applicant('n3', id('3')), featureLevel: 2 });
    const status = leading({ progress: all });
    expect(membership.next(status, 0)).toEqual(update('n3', id('3'), 2));
    const members = status.configuration.members.map((one) => ({ ...one, featureLevel: 2 }));
    membership.greeted(applicant('n3', id('3')));
    const newer = { ...status, configuration: { ...status.configuration, members } };
    expect(membership.next(newer, 0)).toEqual(update('n3', id('3'), 1));
  });

  test('take in nobody, and follow nobody, who knows less than the cluster needs', () => {
    const membership = fresh(2);
    const { configuration, ...status } = leading({ progress: [heard(id('2')), silent(id('3'))] });
    const members = configuration.members.map((one) => ({ ...one, featureLevel: 2 }));
    const newer = { ...status, configuration: { ...configuration, members } };
    membership.greeted(applicant('n2', id('2'), 7));
    membership.knock(applicant('n3', id('a')), 0);
    membership.knock(applicant('n4', id('4')), 0);
    expect(membership.next(newer, 10)).toBeNull();
    const request = { type: 'memberAdd', name: 'n4', autoPromote: true } as const;
    expect(membership.changesOf(request, newer)).toMatchObject({
      code: 'membershipRefused',
      message: expect.stringContaining('start a newer version'),
    });
  });
});

describe('a leader', () => {
  test('follows a member to its new address', () => {
    const membership = fresh();
    membership.greeted(applicant('n2', id('2'), 7));
    expect(membership.next(leading({ progress: all }), 0)).toEqual([
      { type: 'update', member: { ...member('n2', id('2')), ...applicant('n2', id('2'), 7) } },
    ]);
  });

  test('follows its own new address, told of once, perhaps before its log has made it a member', () => {
    const membership = fresh();
    const own = applicant('n1', id('1'), 7);
    membership.greeted(own);
    const status = leading({ progress: all });
    const { configuration } = status;
    const members = configuration.members.filter((one) => one.id !== id('1'));
    const older: Status = {
      ...status,
      role: 'follower',
      configuration: { ...configuration, members, voters: [id('2'), id('3')] },
    };
    expect(membership.next(older, 0)).toBeNull();
    expect(membership.next(status, 0)).toEqual([
      { type: 'update', member: { ...member('n1', id('1')), ...own } },
    ]);
  });
});

describe('several under one name', () => {
  test('may be one node: the last one that asked is taken in', () => {
    const membership = fresh();
    membership.knock(applicant('n3', id('b')), 0);
    membership.knock(applicant('n3', id('a')), 0);
    membership.knock(applicant('n3', id('b')), 1);
    const status = leading({ progress: [heard(id('2')), silent(id('3'))] });
    expect(membership.next(status, 10)).toMatchObject([{ type: 'add', member: { id: id('b') } }]);
  });

  test('may be one node: a newcomer is not replaced by who asked before it', () => {
    const membership = fresh();
    const progress = [heard(id('2')), silent(id('3')), silent(id('b'))];
    // Another one leads yet.
    expect(membership.next({ ...leading({ progress }), role: 'follower' }, 0)).toBeNull();
    membership.knock(applicant('n3', id('a')), 0);
    const newcomer = member('n3', id('b'), { replaces: id('3'), autoPromote: true });
    const status = leading({ more: [newcomer], progress });
    expect(membership.next(status, 10)).toBeNull();
    // Who is still there asks again.
    membership.knock(applicant('n3', id('a')), 20);
    expect(membership.next(status, 30)).toMatchObject([
      { type: 'remove', id: id('b') },
      { type: 'add', member: { id: id('a') } },
    ]);
  });
});

describe('an operator', () => {
  const status = leading({ progress: all });

  test('admits whoever asks', () => {
    const membership = fresh();
    membership.knock(applicant('n4', id('4'), 4), 0);
    const request = { type: 'memberAdd', name: 'n4', autoPromote: false } as const;
    expect(membership.changesOf(request, status)).toEqual([
      {
        type: 'add',
        member: { ...applicant('n4', id('4'), 4), replaces: null, autoPromote: false },
      },
    ]);
  });

  test('hears how a node comes to ask', () => {
    const request = { type: 'memberAdd', name: 'n4', autoPromote: true } as const;
    const refusal = fresh().changesOf(request, status);
    expect(refusal).toBeInstanceOf(RollcallError);
    expect(refusal).toMatchObject({
      code: 'memberNotFound',
      message: expect.stringContaining('rollcall server --name n4 --join'),
    });
  });

  test('names members by name or id', () => {
    const remove = (which: string): unknown =>
      fresh().changesOf({ type: 'memberRemove', member: which }, status);
    expect(remove('n3')).toEqual([{ type: 'remove', id: id('3') }]);
    expect(remove(id('3'))).toEqual([{ type: 'remove', id: id('3') }]);
    expect(remove('n9')).toMatchObject({ code: 'memberNotFound' });
  });

  test('waits for applicants to ask again once a state has skipped changes', () => {
    const membership = fresh();
    const status = leading({ progress: all });
    membership.knock(applicant('n4', id('a')), 0);
    membership.restored(status.configuration);
    expect(membership.report(status).applicants).toEqual([]);
    membership.knock(applicant('n4', id('a')), 100);
    expect(membership.report(status).applicants).toHaveLength(1);
  });

  test('does not see an applicant that went away', () => {
    const membership = fresh();
    membership.knock(applicant('n4', id('4'), 4), 0);
    membership.next(status, 5001);
    expect(membership.report(status).applicants).toEqual([]);
  });
});
