/**
 * Who the peers of this node are and where they may be found.
 *
 * - Before birth: the initial members by their names, or whoever listens at the addresses to join; and
 *   the members of a cluster that exists, as the first of them who answers tells of them: only the one that
 *   leads can take this node in, and it may be none of those that this node was told of.
 * - Afterwards: the members of the newest configuration that is known to be committed, whether this
 *   node got it with its birth or has applied it since. So a joiner that replays old configurations
 *   stays with the members that took it in.
 * - Besides: *guests*, which belong to this cluster and know a newer configuration (see `judge`).
 *
 * A member is looked for where the configuration says and where it says itself that it is. When the
 * change of its address needs its own vote to be committed, nothing else would find it.
 */
import type { Birth } from '../format/identity.ts';
import type { Configuration, EntryId, Index, Member, PeerMessage } from '../format/types.ts';
import { Acknowledgements, isBefore } from './acknowledgements.ts';
import {
  type Hello,
  helloOf,
  type InitialMember,
  judge,
  type KnownConfiguration,
  type OpenedLog,
  type PeerSelf,
  refuseOutdated,
  type Verdict,
} from './hello.ts';
import type { Lane } from './lanes.ts';
import type { Target } from './outgoing-lane.ts';

/** More than can be there unless somebody invents them; the oldest is forgotten. */
const guestsMax = 16;

export class PeerDirectory {
  #self: PeerSelf;
  /** Null exactly before birth. */
  #known: KnownConfiguration | null;
  /** What members and guests last said of themselves, in order of its arrival. */
  readonly #met = new Map<string, Hello>();
  /** Of the cluster that this node waits beside, at the newest index that it was told of. */
  #hearsay: { readonly members: readonly InitialMember[]; readonly index: Index } | null = null;
  readonly #acknowledgements = new Acknowledgements();
  #log: OpenedLog | null = null;
  /** The cluster's; 0 while it is not known. */
  #featureLevel = 0;

  constructor(self: PeerSelf) {
    this.#self = self;
    this.#known = self.birth === null ? null : knownAtBirth(self.birth);
  }

  get self(): PeerSelf {
    return this.#self;
  }

  /** What members of the cluster have said of themselves. */
  get greetings(): readonly Hello[] {
    return [...this.#met.values()].filter(({ memberId }) => this.isMember(memberId));
  }

  /** Everybody who was a member at birth or is one now. */
  get names(): ReadonlySet<string> {
    const atBirth = this.#self.birth?.configuration.members ?? [];
    return new Set([...atBirth, ...this.#members].map(({ name }) => name));
  }

  isMember(id: string): boolean {
    return this.#members.some((member) => member.id === id);
  }

  hello(lane: Lane, to: string | null): Hello {
    return helloOf(this.#self, this.#known, { lane, to, log: this.#log });
  }

  judge(hello: Hello): Verdict {
    const lost = this.#acknowledgements.lostBy(hello);
    const verdict = judge(this.#self, this.#known, hello, lost);
    if (verdict.type === 'refuse') return verdict;
    const refusal = refuseOutdated(this.#self, hello, this.#featureLevel);
    if (refusal !== null || verdict.type !== 'raft') return refusal ?? verdict;
    this.#acknowledgements.admitted(hello);
    // Whose log is not known yet, and who does not know its own, may have lost something.
    return hello.log === null || this.#log === null ? { type: 'greet' } : verdict;
  }

  /** Does nothing, and returns false, unless the level is higher than the one that is known. */
  maybeSetFeatureLevel(level: number): boolean {
    if (level <= this.#featureLevel) return false;
    this.#featureLevel = level;
    return true;
  }

  /** Whether this node knows less than it would have to. */
  isOutdated(levelNeeded: number): boolean {
    return this.#self.featureLevel < levelNeeded;
  }

  /** A member has said something. */
  heard(message: PeerMessage): void {
    this.#acknowledgements.heard(message);
  }

  /** The member is open, and its log is as it was found. */
  opened(log: OpenedLog): void {
    this.#log = log;
  }

  /** Whether this node lacks what it is said to have acknowledged. */
  hasLost(said: EntryId): boolean {
    if (this.#self.birth === null) return true;
    return this.#log !== null && isBefore(this.#log, said);
  }

  /** Where this node really listens. */
  moved(peerAddress: string): void {
    this.#self = { ...this.#self, peerAddress };
  }

  born(birth: Birth): void {
    this.#self = { ...this.#self, birth };
    this.#known = knownAtBirth(birth);
  }

  /** Does nothing, and returns false, if a newer configuration is known. */
  maybeSetConfiguration(configuration: Configuration, index: Index): boolean {
    if (this.#known === null || index < this.#known.index) return false;
    this.#known = { configuration, index };
    this.#acknowledgements.retain(new Set(configuration.members.map(({ id }) => id)));
    for (const [id, { configurationIndex }] of this.#met) {
      if (!this.isMember(id) && configurationIndex <= index) this.#met.delete(id);
    }
    return true;
  }

  /** Notes what a member of a cluster says of itself and, before birth, of the others. */
  meet(hello: Hello): void {
    const { memberId, members, configurationIndex: index } = hello;
    if (this.#known === null && index >= (this.#hearsay?.index ?? 0)) {
      this.#hearsay = { members, index };
    }
    this.#met.delete(memberId);
    this.#met.set(memberId, hello);
    const guests = [...this.#met.keys()].filter((id) => !this.isMember(id));
    for (const id of guests.slice(0, -guestsMax)) this.#met.delete(id);
  }

  /** The peer's connection has ended: a guest is not looked for. */
  part(memberId: string): void {
    if (!this.isMember(memberId)) this.#met.delete(memberId);
  }

  targets(): readonly Target[] {
    if (this.#known === null) return this.#targetsBeforeBirth();
    const guests = [...this.#met.values()].filter(({ memberId }) => !this.isMember(memberId));
    const targets = [
      ...this.#members.map(({ id, name, peerAddress }) => {
        const said = this.#met.get(id)?.peerAddress ?? peerAddress;
        return { memberId: id, name, addresses: [...new Set([peerAddress, said])] };
      }),
      ...guests.map(({ memberId, name, peerAddress }) => ({
        memberId,
        name,
        addresses: [peerAddress],
      })),
    ];
    // Where this node listens there is nobody else, as with the lost member whose place it takes.
    const { memberId: ownId, peerAddress: ownAddress } = this.#self;
    return targets
      .filter(({ memberId }) => memberId !== ownId)
      .map((target) => ({
        ...target,
        addresses: target.addresses.filter((address) => address !== ownAddress),
      }))
      .filter(({ addresses }) => addresses.length > 0);
  }

  get #members(): readonly Member[] {
    return this.#known?.configuration.members ?? [];
  }

  #targetsBeforeBirth(): readonly Target[] {
    const { name: ownName, peerAddress: ownAddress, initialCluster, join } = this.#self;
    const first = initialCluster.filter(({ name }) => name !== ownName);
    const told = this.#hearsay?.members.map(({ peerAddress }) => peerAddress) ?? [];
    const others = new Set([...join, ...told]);
    for (const address of [ownAddress, ...first.map(({ peerAddress }) => peerAddress)]) {
      others.delete(address);
    }
    return [
      ...first.map(({ name, peerAddress }) => ({ memberId: null, name, addresses: [peerAddress] })),
      ...[...others].map((address) => ({ memberId: null, name: null, addresses: [address] })),
    ];
  }
}

function knownAtBirth({ configuration, configurationIndex }: Birth): KnownConfiguration {
  return { configuration, index: configurationIndex };
}
