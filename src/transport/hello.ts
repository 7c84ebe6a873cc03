/**
 * The handshake: the first frame in both directions says who speaks, and `judge` says what the two
 * members may do with each other. Both sides judge for themselves.
 */
import { RollcallError } from '../base/errors.ts';
import { limits } from '../base/limits.ts';
import type { Birth } from '../format/identity.ts';
import type { Member } from '../format/types.ts';
import { pack, unpack } from '../wire/pack.ts';
import { array, integer, matching, nullable, object, oneOf, text } from '../wire/schema.ts';
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

export interface Hello {
  /** Null until the member is born. */
  readonly clusterId: string | null;
  readonly incarnation: string | null;
  readonly memberId: string;
  readonly name: string;
  readonly peerAddress: string;
  readonly clientAddress: string;
  readonly featureLevel: number;
  readonly lane: Lane;
  /** In order of names. Empty on a member that was started without one. */
  readonly initialCluster: readonly InitialMember[];
}

/** The member that this process is, as its peers see it. */
export interface PeerSelf {
  readonly memberId: string;
  readonly name: string;
  readonly peerAddress: string;
  readonly clientAddress: string;
  readonly featureLevel: number;
  readonly initialCluster: readonly InitialMember[];
  readonly birth: Birth | null;
}

export type Verdict =
  /** Both belong to the same cluster: raft messages may flow. */
  | { readonly type: 'raft' }
  /** This node waits for its birth; the connection carries nothing but that. */
  | { readonly type: 'greet' }
  /** The other one is a member of this cluster that does not know it yet. */
  | { readonly type: 'handBirth'; readonly birth: Birth }
  | { readonly type: 'refuse'; readonly error: RollcallError };

const helloBytesMax = 64 * 1024;
const id = matching(/^(?!0{16})[0-9a-f]{16}$/, 'an id of 16 hexadecimal digits, not all 0');
const name = text(limits.nameLengthMax);
const address = text(300);
const schema = object({
  clusterId: nullable(id),
  incarnation: nullable(id),
  memberId: id,
  name,
  peerAddress: address,
  clientAddress: address,
  featureLevel: integer(0),
  lane: oneOf(...lanes),
  initialCluster: array(object({ name, peerAddress: address }), 100),
});

export function helloOf(self: PeerSelf, lane: Lane): Hello {
  return {
    clusterId: self.birth?.clusterId ?? null,
    incarnation: self.birth?.incarnation ?? null,
    memberId: self.memberId,
    name: self.name,
    peerAddress: self.peerAddress,
    clientAddress: self.clientAddress,
    featureLevel: self.featureLevel,
    lane,
    initialCluster: self.initialCluster,
  };
}

export function encodeHello(hello: Hello): Uint8Array {
  return pack(hello);
}

export function decodeHello(bytes: Uint8Array): Hello {
  if (bytes.length > helloBytesMax) {
    throw new RollcallError('frameTooLarge', `A handshake of ${bytes.length} bytes`);
  }
  return schema(unpack(bytes, { itemsMax: 2000, depthMax: 4 }), '');
}

/** `members` are those of the newest configuration; without a birth they do not matter. */
export function judge(self: PeerSelf, members: readonly Member[], hello: Hello): Verdict {
  if (hello.memberId === self.memberId) {
    return mismatch(
      `Member "${hello.name}" has this node's own id ${hello.memberId}: ` +
        'its address leads back here, or a data directory was copied',
    );
  }
  const { birth } = self;
  if (birth === null) return { type: 'greet' };
  if (hello.clusterId !== null && hello.clusterId !== birth.clusterId) {
    return mismatch(
      `Member "${hello.name}" belongs to cluster ${hello.clusterId}, "${self.name}" to ${birth.clusterId}`,
    );
  }
  if (hello.clusterId !== null && hello.incarnation !== birth.incarnation) {
    return mismatch(
      `Member "${hello.name}" is of incarnation ${hello.incarnation} of this cluster, ` +
        `"${self.name}" of ${birth.incarnation}`,
    );
  }
  const isMember = members.some((member) => member.id === hello.memberId);
  if (isMember) return hello.clusterId === null ? { type: 'handBirth', birth } : { type: 'raft' };
  return refuse(
    'forbidden',
    `Cluster ${birth.clusterId} has no member with the id ${hello.memberId}: "${hello.name}" ` +
      'was started with an empty or foreign data directory and has to be added first',
  );
}

function mismatch(message: string): Verdict {
  return refuse('clusterMismatch', message);
}

function refuse(code: 'clusterMismatch' | 'forbidden', message: string): Verdict {
  return { type: 'refuse', error: new RollcallError(code, message) };
}
