/** Canonical bytes of a cluster configuration, as logged, stored and handed to members at birth. */
import type { ByteReader, ByteWriter } from '../base/bytes.ts';
import { RollcallError } from '../base/errors.ts';
import type { Configuration, Member, NodeId } from './types.ts';

const version = 2;
/** Its members said nothing of what a learner is there for. */
const versionWithoutIntent = 1;

export function encodeConfiguration(writer: ByteWriter, configuration: Configuration): void {
  writer.u8(version).varint(configuration.members.length);
  for (const member of configuration.members) encodeMember(writer, member);
  encodeIds(writer, configuration.voters);
  encodeIds(writer, configuration.votersOutgoing);
  encodeIds(writer, configuration.learners);
  encodeIds(writer, configuration.learnersNext);
}

export function decodeConfiguration(reader: ByteReader): Configuration {
  const found = reader.u8();
  const saysIntent = found !== versionWithoutIntent;
  if (saysIntent) expectVersion(found, version, 'configuration');
  return {
    members: decodeList(reader, () => decodeMember(reader, saysIntent)),
    voters: decodeList(reader, decodeId),
    votersOutgoing: decodeList(reader, decodeId),
    learners: decodeList(reader, decodeId),
    learnersNext: decodeList(reader, decodeId),
  };
}

/** Anything unknown stops the node: a newer program wrote it, and to skip it would be to diverge. */
export function expectVersion(found: number, known: number, what: string): void {
  if (found === known) return;
  throw new RollcallError(
    'formatTooNew',
    `This ${what} has format version ${found}; this program knows ${known}`,
  );
}

function encodeMember(writer: ByteWriter, member: Member): void {
  writer.id(member.id).text(member.name);
  writer.text(member.peerAddress).text(member.clientAddress);
  writer.varint(member.featureLevel).boolean(member.replaces !== null);
  if (member.replaces !== null) writer.id(member.replaces);
  writer.boolean(member.autoPromote);
}

function decodeMember(reader: ByteReader, saysIntent: boolean): Member {
  return {
    id: reader.id(),
    name: reader.text(),
    peerAddress: reader.text(),
    clientAddress: reader.text(),
    featureLevel: reader.varint(),
    replaces: saysIntent && reader.boolean() ? reader.id() : null,
    autoPromote: saysIntent && reader.boolean(),
  };
}

function encodeIds(writer: ByteWriter, ids: readonly NodeId[]): void {
  writer.varint(ids.length);
  for (const id of ids) writer.id(id);
}

function decodeId(reader: ByteReader): NodeId {
  return reader.id();
}

function decodeList<T>(reader: ByteReader, decode: (reader: ByteReader) => T): T[] {
  const list: T[] = [];
  for (let left = reader.varint(); left > 0; left--) list.push(decode(reader));
  return list;
}
