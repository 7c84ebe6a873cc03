/**
 * The handshake: the first frame in both directions says who speaks, and `judge` says what the two
 * members may do with each other. Both sides judge for themselves.
 */
import { parseAddress } from '../base/address.ts';
import { RollcallError } from '../base/errors.ts';
import { isName } from '../base/limits.ts';
import type { Birth } from '../format/identity.ts';
import type { Configuration, EntryId, Index, Term } from '../format/types.ts';
import { pack, unpack } from '../wire/pack.ts';
import {
  array,
  integer,
  invalid,
  matching,
  nullable,
  object,
  oneOf,
  type Schema,
  text,
} from '../wire/schema.ts';
import { type Lane, lanes } from './lanes.ts';

/** Whether a connection to `address` can at least be tried. */
export function isDialable(address: string): boolean {
  return URL.canParse(`ws://${address}/`);
}

/** A line of the list that every initial member is started with. */
export interface InitialMember {
  readonly name: string;
  readonly peerAddress: string;
}

/** What the disk of a member held when it was opened. */
export interface OpenedLog {
  /** Drawn whenever a member is opened, 16 hexadecimal digits. */
  readonly life: string;
  /** The newest term that it was in. */
  readonly term: Term;
  /** Of its last entry. */
  readonly index: Index;
}

export interface Hello {
  /** Null until the member is born. */
  readonly clusterId: string | null;
  readonly incarnation: string | null;
  readonly memberId: string;
  readonly name: string;
  readonly peerAddress: string;
  readonly clientAddress: string;
  /** The highest that the speaker knows. */
  readonly featureLevel: number;
  readonly lane: Lane;
  /** Whom the one that dialed means to reach; null where it knows an address alone, and in an answer. */
  readonly to: string | null;
  /** Null while the speaker's member is not open: then nothing flows. */
  readonly log: OpenedLog | null;
  /** In order of names. Empty on a node that joins a cluster. */
  readonly initialCluster: readonly InitialMember[];
  /** A log index at which `members` was the committed configuration; 0 before birth. */
  readonly configurationIndex: Index;
  /** Of the newest configuration that the speaker knows to be committed; empty before birth. */
  readonly members: readonly InitialMember[];
}

/** The member that this process is, as its peers see it. */
export interface PeerSelf {
  readonly memberId: string;
  readonly name: string;
  readonly peerAddress: string;
  readonly clientAddress: string;
  readonly featureLevel: number;
  readonly initialCluster: readonly InitialMember[];
  /** Peer addresses of members of the cluster that this node joins; empty on an initial member. */
  readonly join: readonly string[];
  readonly birth: Birth | null;
}

/** The newest committed configuration that a node knows of. */
export interface KnownConfiguration {
  readonly configuration: Configuration;
  /** A log index at which it was in force. */
  readonly index: Index;
}

export type Verdict =
  /** Both belong to the same cluster: raft messages may flow. */
  | { readonly type: 'raft' }
  /** The other one asks to be taken in: nothing flows until a configuration lists it. */
  | { readonly type: 'knock' }
  /** One of the two waits for its birth, or opens its member; nothing but a birth flows. */
  | { readonly type: 'greet' }
  /** The other one is a member of this cluster that does not know it yet. */
  | { readonly type: 'handBirth'; readonly birth: Birth }
  | { readonly type: 'refuse'; readonly error: RollcallError };

const helloBytesMax = 64 * 1024;
const membersMax = 100;
const id = matching(/^(?!0{16})[0-9a-f]{16}$/, 'an id of 16 hexadecimal digits, not all 0');
const name: Schema<string> = (given, path) => {
  if (typeof given !== 'string' || !isName(given)) throw invalid(path, 'the name of a node');
  return given;
};
const address = text(300);
/** What a handshake says is dialed and may come into the configuration. */
const peerAddress: Schema<string> = (given, path) => {
  const found = address(given, path);
  parseAddress(found);
  if (!isDialable(found)) throw invalid(path, 'an address that can be dialed');
  return found;
};
const member = object({ name, peerAddress });
const openedLog = object({ life: id, term: integer(0), index: integer(0) });
const schema = object({
  clusterId: nullable(id),
  incarnation: nullable(id),
  memberId: id,
  name,
  peerAddress,
  clientAddress: address,
  featureLevel: integer(0),
  lane: oneOf(...lanes),
  to: nullable(id),
  log: nullable(openedLog),
  initialCluster: array(member, membersMax),
  configurationIndex: integer(0),
  members: array(member, membersMax),
});

/** What is said apart from who the speaker is. */
export type HelloParts = Pick<Hello, 'lane' | 'to' | 'log'>;

/** `known` is null exactly before birth. */
export function helloOf(
  self: PeerSelf,
  known: KnownConfiguration | null,
  parts: HelloParts,
): Hello {
  const members = known?.configuration.members ?? [];
  return {
    clusterId: self.birth?.clusterId ?? null,
    incarnation: self.birth?.incarnation ?? null,
    memberId: self.memberId,
    name: self.name,
    peerAddress: self.peerAddress,
    clientAddress: self.clientAddress,
    featureLevel: self.featureLevel,
    ...parts,
    initialCluster: self.initialCluster,
    configurationIndex: known?.index ?? 0,
    members: members.slice(0, membersMax).map(({ name, peerAddress }) => ({ name, peerAddress })),
  };
}

export function encodeHello(hello: Hello): Uint8Array {
  return pack(hello);
}

/** Throws nothing but RollcallErrors. */
export function decodeHello(bytes: Uint8Array): Hello {
  if (bytes.length > helloBytesMax) {
    throw new RollcallError('frameTooLarge', `A handshake of ${bytes.length} bytes`);
  }
  return schema(unpack(bytes, { itemsMax: 2000, depthMax: 4 }), '');
}

/**
 * Ids never come back once they have left, so of two born members of one cluster the one that knows
 * the newer configuration is right about who belongs to it. A member that this node has not heard of
 * is therefore let in if it knows a newer configuration: it may be the leader that brings it. With
 * anything else a node that was away while all others were replaced could never be caught up.
 *
 * `known` is null exactly before birth. `lost` is what the other one is known to have lost of what it
 * acknowledged; whoever has must not be heard as the member that it was.
 */
export function judge(
  self: PeerSelf,
  known: KnownConfiguration | null,
  hello: Hello,
  lost: EntryId | null,
): Verdict {
  if (hello.memberId === self.memberId) {
    return mismatch(
      `Member "${hello.name}" has this node's own id ${hello.memberId}: ` +
        'its address leads back here, or a data directory was copied',
    );
  }
  const { birth } = self;
  if (birth === null || known === null) return { type: 'greet' };
  const { configuration, index } = known;
  const isMember = configuration.members.some((member) => member.id === hello.memberId);
  if (hello.clusterId === null) {
    if (isMember && lost !== null) return lostLog(self, hello, lost);
    // What is handed out is the newest: the initial members may be long gone.
    return isMember
      ? { type: 'handBirth', birth: { ...birth, configuration, configurationIndex: index } }
      : { type: 'knock' };
  }
  if (hello.clusterId !== birth.clusterId) {
    return mismatch(
      `Member "${hello.name}" belongs to cluster ${hello.clusterId}, "${self.name}" to ${birth.clusterId}`,
    );
  }
  if (hello.incarnation !== birth.incarnation) {
    return mismatch(
      `Member "${hello.name}" is of incarnation ${hello.incarnation} of this cluster, ` +
        `"${self.name}" of ${birth.incarnation}`,
    );
  }
  if (isMember || hello.configurationIndex > index) {
    return lost === null ? { type: 'raft' } : lostLog(self, hello, lost);
  }
  return {
    type: 'refuse',
    error: new RollcallError(
      'removed',
      `Cluster ${birth.clusterId} has no member with the id ${hello.memberId} any more: ` +
        `"${hello.name}" was removed`,
      { details: { configurationIndex: index } },
    ),
  };
}

/** The log index at which this node was no member any more, if the refusal says that. */
export function removalIndexOf({ code, details }: RollcallError): Index | null {
  const { configurationIndex } = details;
  if (code !== 'removed' || typeof configurationIndex !== 'number') return null;
  return configurationIndex;
}

function lostLog(self: PeerSelf, hello: Hello, { term, index }: EntryId): Verdict {
  return {
    type: 'refuse',
    error: new RollcallError(
      'clusterMismatch',
      `"${hello.name}" has lost what it acknowledged to "${self.name}" up to entry ${index} in term ${term}`,
      { details: { lostTerm: term, lostIndex: index } },
    ),
  };
}

/** What this node has acknowledged to the one that refuses it and has lost, if the refusal says that. */
export function lossOf({ code, details }: RollcallError): EntryId | null {
  const { lostTerm: term, lostIndex: index } = details;
  if (code !== 'clusterMismatch' || typeof term !== 'number' || typeof index !== 'number')
    return null;
  return { term, index };
}

/**
 * Refuses who knows less than the feature level of this node's cluster: it could not read what it would
 * be sent. Null when there is no reason to.
 */
export function refuseOutdated(
  { birth }: PeerSelf,
  { name, featureLevel }: Hello,
  clusterLevel: number,
): Verdict | null {
  if (birth === null || featureLevel >= clusterLevel) return null;
  return {
    type: 'refuse',
    error: new RollcallError(
      'formatTooNew',
      `Cluster ${birth.clusterId} is at feature level ${clusterLevel} and "${name}" knows ${featureLevel} ` +
        'at most: start a newer version of Rollcall there',
      { details: { featureLevel: clusterLevel } },
    ),
  };
}

/** The feature level that the one who is refused would have to know, if the refusal says that. */
export function levelNeededOf({ code, details }: RollcallError): number | null {
  const { featureLevel } = details;
  return code === 'formatTooNew' && typeof featureLevel === 'number' ? featureLevel : null;
}

function mismatch(message: string): Verdict {
  return { type: 'refuse', error: new RollcallError('clusterMismatch', message) };
}
