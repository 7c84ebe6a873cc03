/**
 * How a cluster begins. Every initial member shakes hands with all others; once all of them have
 * answered with the same list and none is born, the one with the lowest name makes the cluster:
 * its id, its incarnation and its configuration by member ids. Whoever holds that hands it to every
 * listed id, which votes from then on. An id that is not listed never votes: a member that lost its
 * directory comes back with a new id, so a vote that it forgot cannot be given again. Such a member,
 * and a node that was started to join, waits beside a cluster that exists until it is taken in.
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
  if (self.join.length > 0) return { type: 'wait', reason: joinReason(self, greeted) };
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
    configurationIndex: 0,
    configuration: {
      members,
      voters: members.map(({ id }) => id),
      votersOutgoing: [],
      learners: [],
      learnersNext: [],
    },
  };
}

/** Whether a birth that was handed over is this member's: as a voter, or as a learner for now. */
export function isListed(birth: Birth, memberId: string): boolean {
  return birth.configuration.members.some(({ id }) => id === memberId);
}

/**
 * Whether a member that was born among some is started among entirely others: then the directory is
 * another cluster's, and to serve it under this name would split what clients write.
 *
 * Names are all that a list and a configuration have in common, and both may be old. So it counts as
 * known who was there at birth and who is there now, by what this directory has seen:
 *
 * - The list of the first start goes on being accepted, as what it was born from never changes, even
 *   when nobody of it is left but this member.
 * - A list of the present members is accepted once this member has applied the changes that brought
 *   them. If all others were replaced while it was down, such a list names only strangers to it, just
 *   as a foreign list does: that is refused, and the old list, none at all, or addresses to join take
 *   their place.
 * - Addresses to join say nothing of who is meant, so they are never refused here. Members of another
 *   cluster refuse the handshake, and both sides log it.
 */
export function isForeign(
  knownNames: ReadonlySet<string>,
  name: string,
  initialCluster: readonly InitialMember[],
): boolean {
  const others = initialCluster.filter((line) => line.name !== name);
  return others.length > 0 && !others.some((line) => knownNames.has(line.name));
}

type Obstacle = (
  self: PeerSelf,
  others: readonly InitialMember[],
  hellos: ReadonlyMap<string, Hello>,
) => string | null;

const foreignCluster: Obstacle = (self, _others, hellos) => {
  const born = [...hellos.values()].find(({ clusterId }) => clusterId !== null);
  return born === undefined ? null : admissionBy(born, self);
};

function joinReason(self: PeerSelf, greeted: readonly Hello[]): string {
  const born = greeted.find(({ clusterId }) => clusterId !== null);
  return born === undefined
    ? `an answer from a member of the cluster that it joins, at ${self.join.join(' or ')}`
    : admissionBy(born, self);
}

/** What a node waits for beside a cluster that exists. */
function admissionBy({ clusterId, members }: Hello, { memberId, name }: PeerSelf): string {
  const cluster = `cluster ${clusterId}, which exists already, to take in its new id ${memberId}`;
  return members.some((member) => member.name === name)
    ? `${cluster} in the place of the member "${name}" that it replaces`
    : `${cluster}: run \`rollcall member add ${name}\``;
}

const missing: Obstacle = (_self, others, hellos) => {
  const absent = others.filter(({ name }) => !hellos.has(name));
  if (absent.length === 0) return null;
  return absent.map(({ name, peerAddress }) => `"${name}" at ${peerAddress}`).join(' and ');
};

const otherList: Obstacle = (self, _others, hellos) => {
  const own = listText(self.initialCluster);
  const other = [...hellos.values()].find(({ initialCluster }) => listText(initialCluster) !== own);
  if (other === undefined) return null;
  const list = listText(other.initialCluster);
  return list === ''
    ? `"${other.name}", which was started to join a cluster`
    : `"${other.name}", which was started with another list: ${list}`;
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
