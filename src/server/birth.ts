/**
 * How a cluster begins. Every initial member shakes hands with all others; once all of them have
 * answered with the same list and none is born, the one with the lowest name makes the cluster:
 * its id, its incarnation and its configuration by member ids. Whoever holds that hands it to every
 * listed id, which votes from then on. An id that is not listed never votes: a member that lost its
 * directory comes back with a new id, so a vote that it forgot cannot be given again.
 */
import { type Random, randomId } from '../base/prng.ts';
import type { Birth } from '../format/identity.ts';
import type { Member } from '../format/types.ts';
import type { Hello, InitialMember, PeerSelf } from '../transport/hello.ts';

export type BirthDecision =
  /** This member makes the cluster. */
  | { readonly type: 'mint'; readonly members: readonly Member[] }
  /** `reason` goes on after "waits for". */
  | { readonly type: 'wait'; readonly reason: string };

/** `greeted` are the handshakes of the connections that stand now. */
export function decideBirth(self: PeerSelf, greeted: readonly Hello[]): BirthDecision {
  const others = self.initialCluster.filter(({ name }) => name !== self.name);
  const hellos = new Map(greeted.map((hello) => [hello.name, hello]));
  const reason = [foreignCluster, missing, otherList, sameId, lowerName]
    .map((obstacle) => obstacle(self, others, hellos))
    .find((found) => found !== null);
  if (reason !== undefined) return { type: 'wait', reason };
  return { type: 'mint', members: self.initialCluster.map((line) => memberOf(line, self, hellos)) };
}

export function mintBirth(members: readonly Member[], random: Random): Birth {
  return {
    clusterId: randomId(random),
    incarnation: randomId(random),
    configuration: {
      members,
      voters: members.map(({ id }) => id),
      votersOutgoing: [],
      learners: [],
      learnersNext: [],
    },
  };
}

/** Whether a birth that was handed over is this member's. */
export function isListed(birth: Birth, memberId: string): boolean {
  const { voters, learners } = birth.configuration;
  return voters.includes(memberId) || learners.includes(memberId);
}

/**
 * Whether a member that was born among some is started among entirely others: then the directory is
 * another cluster's, and to serve it under this name would split what clients write.
 */
export function isForeign(
  birth: Birth,
  name: string,
  initialCluster: readonly InitialMember[],
): boolean {
  const others = initialCluster.filter((line) => line.name !== name);
  const known = new Set(birth.configuration.members.map((member) => member.name));
  return others.length > 0 && !others.some((line) => known.has(line.name));
}

type Obstacle = (
  self: PeerSelf,
  others: readonly InitialMember[],
  hellos: ReadonlyMap<string, Hello>,
) => string | null;

const foreignCluster: Obstacle = (self, _others, hellos) => {
  const born = [...hellos.values()].find(({ clusterId }) => clusterId !== null);
  return born === undefined
    ? null
    : `cluster ${born.clusterId}, which exists already, to take in the new id ${self.memberId} ` +
        'that it drew as its data directory was empty';
};

const missing: Obstacle = (_self, others, hellos) => {
  const absent = others.filter(({ name }) => !hellos.has(name));
  if (absent.length === 0) return null;
  return absent.map(({ name, peerAddress }) => `"${name}" at ${peerAddress}`).join(' and ');
};

const otherList: Obstacle = (self, _others, hellos) => {
  const own = listText(self.initialCluster);
  const other = [...hellos.values()].find(({ initialCluster }) => listText(initialCluster) !== own);
  return other === undefined
    ? null
    : `"${other.name}", which was started with another list: ${listText(other.initialCluster)}`;
};

const sameId: Obstacle = (self, _others, hellos) => {
  const names = new Map([[self.memberId, self.name]]);
  for (const { memberId, name } of hellos.values()) {
    const first = names.get(memberId);
    if (first !== undefined) {
      return `"${first}" and "${name}" to be told apart: a copied directory gave both one id`;
    }
    names.set(memberId, name);
  }
  return null;
};

const lowerName: Obstacle = (self) => {
  const [first] = self.initialCluster;
  return first === undefined || first.name === self.name
    ? null
    : `"${first.name}", which makes the cluster`;
};

function listText(list: readonly InitialMember[]): string {
  return list.map(({ name, peerAddress }) => `${name}=${peerAddress}`).join(',');
}

function memberOf(
  { name, peerAddress }: InitialMember,
  self: PeerSelf,
  hellos: ReadonlyMap<string, Hello>,
): Member {
  const { memberId, clientAddress, featureLevel } = hellos.get(name) ?? self;
  return {
    id: memberId,
    name,
    peerAddress,
    clientAddress,
    featureLevel,
    replaces: null,
    autoPromote: false,
  };
}
