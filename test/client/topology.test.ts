import { describe, expect, test } from 'vitest';
import { Topology } from '../../src/client/topology.ts';
import type { NodeStatus } from '../../src/wire/results.ts';

function status(member: number, term: number, leader: number | null): NodeStatus {
  return {
    clusterId: 'c',
    incarnation: 'i',
    memberId: `m${member}`,
    name: `n${member}`,
    role: member === leader ? 'leader' : 'follower',
    standing: 'voter',
    troubles: [],
    term,
    leaderId: leader === null ? null : `m${leader}`,
    leaderName: leader === null ? null : `n${leader}`,
    leaderAddress: leader === null ? null : `h:${leader}`,
    members: [1, 2, 3].map((at) => ({ id: `m${at}`, clientAddress: `h:${at}` })),
    featureLevel: 2,
    featureLevelMax: 2,
    commitIndex: 0,
    appliedIndex: 0,
    revision: 1,
    ...{ compactRevision: 0, removedRevision: 0, storedBytes: 0, quotaBytes: 0 },
    ...{ historyAgeMs: 0, historyRevisions: 0 },
    digest: '0000000000000000',
    version: '0.1.0',
  };
}

function three(): Topology {
  const topology = new Topology(['h:1', 'h:2', 'h:3']);
  for (const member of [1, 2, 3]) topology.observed(`h:${member}`, status(member, 5, 1));
  return topology;
}

describe('the leader', () => {
  test('is nobody before anybody has spoken', () => {
    expect(new Topology(['h:1']).leader).toBeNull();
  });

  test('is found by member id, under whatever address it is connected', () => {
    const topology = new Topology(['localhost:1', 'localhost:2']);
    topology.observed('localhost:1', status(1, 5, 2));
    expect(topology.leader).toBeNull();
    topology.observed('localhost:2', status(2, 5, null));
    expect(topology.leader).toBe('localhost:2');
  });

  test('of the highest term wins, also over one that still believes in itself', () => {
    const topology = three();
    expect(topology.leader).toBe('h:1');
    topology.observed('h:2', status(2, 6, 3));
    expect(topology.leader).toBe('h:3');
    topology.observed('h:1', status(1, 5, 1));
    expect(topology.leader).toBe('h:3');
  });

  test('stays while a higher term has none yet', () => {
    const topology = three();
    topology.observed('h:2', status(2, 6, null));
    expect(topology.leader).toBe('h:1');
  });

  test('is nobody while its endpoint is disconnected, and back when it speaks', () => {
    const topology = three();
    topology.disconnected('h:1');
    expect(topology.leader).toBeNull();
    topology.observed('h:1', status(1, 5, 1));
    expect(topology.leader).toBe('h:1');
  });

  test('is nobody while it is silent; a word brings it back', () => {
    const topology = three();
    topology.silenced('h:1');
    expect(topology.leader).toBeNull();
    expect(topology.usable()).toEqual(['h:2', 'h:3']);
    topology.heard('h:1');
    expect(topology.leader).toBe('h:1');
  });

  test('is not who refused in that term, until its own status says so', () => {
    const topology = three();
    topology.refused('h:1', 5);
    expect(topology.leader).toBeNull();
    topology.observed('h:2', status(2, 5, 1));
    expect(topology.leader).toBeNull();
    topology.observed('h:1', status(1, 5, 1));
    expect(topology.leader).toBe('h:1');
  });

  test('may lead a later term after a refusal', () => {
    const topology = three();
    topology.refused('h:1', 5);
    topology.observed('h:2', status(2, 7, 1));
    expect(topology.leader).toBe('h:1');
  });
});

describe('whom to ask what any node may answer', () => {
  test('nobody that was removed from the cluster, unless nobody else is left', () => {
    const topology = three();
    topology.observed('h:2', { ...status(2, 5, 1), standing: 'removed' });
    expect(topology.usable()).toEqual(['h:1', 'h:3']);
    topology.disconnected('h:1');
    topology.disconnected('h:3');
    expect(topology.usable()).toEqual(['h:2']);
  });
});

describe('learning of endpoints', () => {
  test('members that no endpoint stands for are worth a connection', () => {
    const topology = new Topology(['h:1']);
    topology.observed('h:1', status(1, 5, 2));
    expect(topology.unknownAddresses()).toEqual(['h:2', 'h:3']);
    topology.add('h:2');
    expect(topology.unknownAddresses()).toEqual(['h:3']);
  });

  test('a node that was removed tells of those who were there, unless others know better', () => {
    const topology = new Topology(['h:9']);
    const removed = { ...status(9, 5, null), standing: 'removed' as const };
    topology.observed('h:9', removed);
    expect(topology.unknownAddresses()).toEqual(['h:1', 'h:2', 'h:3']);
    topology.observed('h:1', { ...status(1, 6, 1), members: [{ id: 'm1', clientAddress: 'h:1' }] });
    expect(topology.unknownAddresses()).toEqual([]);
  });

  test('members known under other addresses are not', () => {
    const topology = new Topology(['localhost:1', 'h:2', 'localhost:3']);
    topology.observed('localhost:1', status(1, 5, 1));
    topology.observed('h:2', status(2, 5, 1));
    topology.observed('localhost:3', status(3, 5, 1));
    topology.disconnected('localhost:1');
    expect(topology.unknownAddresses()).toEqual([]);
  });
});
