/**
 * What members say to each other outside of consensus: a state on its way to a member that needs it,
 * pulled piece by piece, digests to compare, and whose disk is nearly full. Any of these may be lost, repeated or late.
 */
import { ByteReader, ByteWriter } from '../base/bytes.ts';
import { RollcallError } from '../base/errors.ts';
import { equalHash, type Hash64, hash64 } from '../base/hash.ts';
import {
  type CheckpointHeader,
  decodeCheckpointHeader,
  encodeCheckpointHeader,
} from './checkpoint.ts';
import type { Index, NodeId, Term } from './types.ts';

interface Route {
  readonly from: NodeId;
  readonly to: NodeId;
}

/** Key and bytes as they stand in Level. */
export type StateRecord = readonly [key: string, bytes: Uint8Array];

/** Asks for the records after the key `after`; the first request of a transfer pins the state that it is of. */
export type SnapshotRequest = Route & {
  readonly type: 'snapshotRequest';
  /** Drawn by the receiver of the state, 16 hexadecimal digits. */
  readonly transfer: string;
  /** Empty: from the beginning, with the header. */
  readonly after: string;
};

export type SnapshotChunk = Route & {
  readonly type: 'snapshotChunk';
  readonly transfer: string;
  /** What the request that this answers said. */
  readonly after: string;
  /** With the first chunk. */
  readonly header: CheckpointHeader | null;
  /** The sender's, when it sent this: at or above that of every leader whose entries are in the state. */
  readonly term: Term;
  readonly records: readonly StateRecord[];
  readonly isLast: boolean;
};

/** The transfer cannot go on from here: it is unknown, given up, or the sender has no room for it. */
export type SnapshotRefusal = Route & {
  readonly type: 'snapshotRefusal';
  readonly transfer: string;
};

/** The sender's digest once exactly the entries up to `index` were applied. */
export type DigestReport = Route & {
  readonly type: 'digestReport';
  readonly index: Index;
  readonly digest: Hash64;
  /** The receiver answers with its own digest at that index, if it still knows it. */
  readonly asks: boolean;
};

/**
 * To the leader: the sender takes over a state as of `index` from a third member, and will need the
 * log from there.
 */
export type SnapshotNotice = Route & {
  readonly type: 'snapshotNotice';
  readonly index: Index;
};

/** Whether the sender's disk has less room than its reserve. */
export type SpaceReport = Route & {
  readonly type: 'spaceReport';
  readonly isShort: boolean;
};

export type NodeMessage =
  | SnapshotRequest
  | SnapshotChunk
  | SnapshotRefusal
  | SnapshotNotice
  | DigestReport
  | SpaceReport;

// The numbers are on the wire: they never change their meaning. Those below belong to consensus.
const snapshotRequest = 128;
const snapshotChunk = 129;
const snapshotRefusal = 130;
const digestReport = 131;
const spaceReport = 132;
const snapshotNotice = 133;
export const nodeKindMin = 128;

/** From which feature level of the cluster on it is sent: whoever does not know it would hang up. */
const levels: { readonly [type in NodeMessage['type']]: number } = {
  snapshotRequest: 1,
  snapshotChunk: 1,
  snapshotRefusal: 1,
  snapshotNotice: 2,
  digestReport: 1,
  spaceReport: 2,
};
const nodeTypes: ReadonlySet<string> = new Set(Object.keys(levels));

export function isNodeMessage(message: { readonly type: string }): message is NodeMessage {
  return nodeTypes.has(message.type);
}

export function nodeMessageLevel({ type }: NodeMessage): number {
  return levels[type];
}

/** About how many bytes the message takes. */
export function nodeMessageBytes(message: NodeMessage): number {
  let bytes = 64;
  if (message.type !== 'snapshotChunk') return bytes;
  for (const [key, value] of message.records) bytes += key.length + value.length + 8;
  return message.header === null ? bytes : bytes + 4096;
}

export function encodeNodeMessage(writer: ByteWriter, message: NodeMessage): void {
  switch (message.type) {
    case 'snapshotRequest':
      encodeRoute(writer, snapshotRequest, message);
      writer.id(message.transfer).binary(message.after);
      return;
    case 'snapshotChunk':
      encodeRoute(writer, snapshotChunk, message);
      encodeChunk(writer, message);
      return;
    case 'snapshotRefusal':
      encodeRoute(writer, snapshotRefusal, message);
      writer.id(message.transfer);
      return;
    case 'digestReport':
      encodeRoute(writer, digestReport, message);
      writer.varint(message.index).u32(message.digest.high).u32(message.digest.low);
      writer.boolean(message.asks);
      return;
    case 'snapshotNotice':
      encodeRoute(writer, snapshotNotice, message);
      writer.varint(message.index);
      return;
    case 'spaceReport':
      encodeRoute(writer, spaceReport, message);
      writer.boolean(message.isShort);
      return;
  }
}

/** Throws `malformedFrame` on an unknown kind and on a chunk whose records are not those that were sent. */
export function decodeNodeMessage(reader: ByteReader, kind: number): NodeMessage {
  const route: Route = { from: reader.id(), to: reader.id() };
  switch (kind) {
    case snapshotRequest:
      return { type: 'snapshotRequest', ...route, transfer: reader.id(), after: reader.binary() };
    case snapshotChunk:
      return decodeChunk(reader, route);
    case snapshotRefusal:
      return { type: 'snapshotRefusal', ...route, transfer: reader.id() };
    case digestReport: {
      const index = reader.varint();
      const digest = { high: reader.u32(), low: reader.u32() };
      return { type: 'digestReport', ...route, index, digest, asks: reader.boolean() };
    }
    case snapshotNotice:
      return { type: 'snapshotNotice', ...route, index: reader.varint() };
    case spaceReport:
      return { type: 'spaceReport', ...route, isShort: reader.boolean() };
    default:
      throw new RollcallError('malformedFrame', `Unknown message kind ${kind}`);
  }
}

function encodeRoute(writer: ByteWriter, kind: number, { from, to }: Route): void {
  writer.u8(kind).id(from).id(to);
}

function encodeChunk(writer: ByteWriter, chunk: SnapshotChunk): void {
  writer.id(chunk.transfer).binary(chunk.after).varint(chunk.term).boolean(chunk.isLast);
  writer.boolean(chunk.header !== null);
  if (chunk.header !== null) encodeCheckpointHeader(writer, chunk.header);
  const body = encodeRecords(chunk.records);
  const { high, low } = hash64(body);
  writer.u32(high).u32(low).blob(body);
}

function decodeChunk(reader: ByteReader, route: Route): SnapshotChunk {
  const transfer = reader.id();
  const after = reader.binary();
  const term = reader.varint();
  const isLast = reader.boolean();
  const header = reader.boolean() ? decodeCheckpointHeader(reader) : null;
  const hash: Hash64 = { high: reader.u32(), low: reader.u32() };
  const body = reader.blob();
  if (!equalHash(hash, hash64(body))) {
    throw new RollcallError('malformedFrame', 'A piece of a state was changed on its way');
  }
  const records = decodeRecords(body);
  return { type: 'snapshotChunk', ...route, transfer, after, term, header, records, isLast };
}

function encodeRecords(records: readonly StateRecord[]): Uint8Array {
  const body = new ByteWriter(64 * 1024);
  body.varint(records.length);
  for (const [key, bytes] of records) body.binary(key).blob(bytes);
  return body.finish();
}

function decodeRecords(body: Uint8Array): StateRecord[] {
  const reader = new ByteReader(body);
  const records: StateRecord[] = [];
  for (let left = reader.varint(); left > 0; left--) {
    const key = reader.binary();
    records.push([key, reader.blob()]);
  }
  reader.end();
  return records;
}
