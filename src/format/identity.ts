/** Canonical bytes of who a data directory is. */
import type { ByteReader, ByteWriter } from '../base/bytes.ts';
import { decodeConfiguration, encodeConfiguration, expectVersion } from './configuration.ts';
import type { Configuration, Index, NodeId } from './types.ts';

const version = 2;
/** Its birth was the cluster's own beginning. */
const versionWithoutIndex = 1;

/** Who this data directory is, minted and synced before the first handshake. */
export interface Identity {
  readonly memberId: NodeId;
  readonly name: string;
  /** Null until birth. */
  readonly birth: Birth | null;
  /**
   * The member's write-ahead log exists. Recorded after the log's first segment is durable and
   * before anything is appended, so that a log that is missing later is known to be lost.
   */
  readonly walBegun: boolean;
}

/** What makes a member part of a cluster. */
export interface Birth {
  readonly clusterId: string;
  readonly incarnation: string;
  /** As it was when the member was taken in. */
  readonly configuration: Configuration;
  /** A log index at which that configuration was in force; 0 for the members that begin the cluster. */
  readonly configurationIndex: Index;
}

export function encodeIdentity(writer: ByteWriter, identity: Identity): void {
  writer.u8(version).id(identity.memberId).text(identity.name);
  writer.boolean(identity.walBegun).boolean(identity.birth !== null);
  if (identity.birth !== null) encodeBirth(writer, identity.birth);
}

export function decodeIdentity(reader: ByteReader): Identity {
  const found = reader.u8();
  const saysIndex = found !== versionWithoutIndex;
  if (saysIndex) expectVersion(found, version, 'identity');
  const memberId = reader.id();
  const name = reader.text();
  const walBegun = reader.boolean();
  if (!reader.boolean()) return { memberId, name, walBegun, birth: null };
  return { memberId, name, walBegun, birth: decodeBirth(reader, saysIndex) };
}

export function encodeBirth(writer: ByteWriter, birth: Birth): void {
  writer.id(birth.clusterId).id(birth.incarnation);
  encodeConfiguration(writer, birth.configuration);
  writer.varint(birth.configurationIndex);
}

export function decodeBirth(reader: ByteReader, saysIndex = true): Birth {
  return {
    clusterId: reader.id(),
    incarnation: reader.id(),
    configuration: decodeConfiguration(reader),
    configurationIndex: saysIndex ? reader.varint() : 0,
  };
}
