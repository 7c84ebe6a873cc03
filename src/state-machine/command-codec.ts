/**
 * The canonical bytes of a command entry: what raft replicates and the write-ahead log keeps.
 *
 *   entry    version, log time, wall time, number of commands, commands
 *   command  kind, version, session flag [, session id, sequence, acknowledgedThrough], fields
 *
 * The numbers of kinds are on disk: they never change their meaning, nor do their versions. A command is
 * written in the oldest version that can say it. Whatever this program does not know is `formatTooNew`;
 * bytes that are no entry at all are `dataDamaged`.
 */
import { unreachable } from '../base/assert.ts';
import { ByteReader, ByteWriter } from '../base/bytes.ts';
import { RollcallError } from '../base/errors.ts';
import { expectVersion } from '../format/configuration.ts';
import { readInstance, writeInstance } from '../registry/instance-codec.ts';
import { needsSecondVersion } from './command-level.ts';
import { damagedUnless } from './damage.ts';
import { isTooDeep, readOperation, writeOperation } from './operation-codec.ts';
import { keySpaces } from './record-codec.ts';
import { numberOf } from './state.ts';
import type { Command, CommandEntry, KeySpaceName, LoggedCommand, SessionHeader } from './types.ts';

const entryVersion = 1;
/** Of all commands but those that need the second one. */
const firstVersion = 1;
/**
 * Of `register` without `replace` and `deregister` with a lease; of a put that keeps value or lease, and of
 * a transaction with such puts, or with ranges that have an order or bounds.
 */
const secondVersion = 2;

const kinds = {
  put: 1,
  delete: 2,
  txn: 3,
  leaseGrant: 4,
  leaseRevoke: 5,
  leaseKeepAlive: 6,
  register: 7,
  deregister: 8,
  beginIncarnation: 9,
  raiseFeatureLevel: 10,
  sessionOpen: 20,
  sessionRenew: 21,
  sessionClose: 22,
  compact: 11,
} as const satisfies Record<Command['type'], number>;

const twoVersions: ReadonlySet<number> = new Set([
  kinds.put,
  kinds.txn,
  kinds.register,
  kinds.deregister,
]);

const sharedWriter = new ByteWriter(64 * 1024);

/** Throws `tooManyOperations` for a transaction that is nested deeper than any may have operations. */
export function encodeCommandEntry(entry: CommandEntry): Uint8Array {
  for (const { command } of entry.commands) {
    // Checked before anything is written: an entry that no node can read must not enter the log.
    if (command.type === 'txn' && isTooDeep(command)) {
      throw new RollcallError('tooManyOperations', 'The transaction is nested too deeply');
    }
  }
  const writer = sharedWriter;
  writer.u8(entryVersion).varint(entry.logTimeMs).varint(entry.wallTimeMs);
  writer.varint(entry.commands.length);
  for (const logged of entry.commands) writeLogged(writer, logged);
  return writer.finish();
}

/** Values in the result are views into `bytes`. */
export function decodeCommandEntry(bytes: Uint8Array): CommandEntry {
  return damagedUnless('command entry', () => {
    const reader = new ByteReader(bytes);
    expectVersion(reader.u8(), entryVersion, 'command entry');
    const logTimeMs = reader.varint();
    const wallTimeMs = reader.varint();
    const commands: LoggedCommand[] = [];
    for (let left = reader.varint(); left > 0; left--) commands.push(readLogged(reader));
    reader.end();
    return { logTimeMs, wallTimeMs, commands };
  });
}

/** The log time of an encoded entry, without decoding its commands. */
export function logTimeOf(bytes: Uint8Array): number {
  return damagedUnless('command entry', () => {
    const reader = new ByteReader(bytes);
    expectVersion(reader.u8(), entryVersion, 'command entry');
    return reader.varint();
  });
}

function writeLogged(writer: ByteWriter, { session, command }: LoggedCommand): void {
  writer
    .u8(kinds[command.type])
    .u8(needsSecondVersion(command) ? secondVersion : firstVersion)
    .boolean(session !== null);
  if (session !== null) {
    writer.id(session.sessionId).varint(session.sequence).varint(session.acknowledgedThrough);
  }
  writeCommand(writer, command);
}

function readLogged(reader: ByteReader): LoggedCommand {
  const kind = reader.u8();
  const version = reader.u8();
  const isSecond = version === secondVersion && twoVersions.has(kind);
  if (!isSecond) expectVersion(version, firstVersion, `command of kind ${kind}`);
  const session = reader.boolean() ? readSession(reader) : null;
  return { session, command: readCommand(reader, kind, isSecond) };
}

function readSession(reader: ByteReader): SessionHeader {
  return {
    sessionId: reader.id(),
    sequence: reader.varint(),
    acknowledgedThrough: reader.varint(),
  };
}

function writeCommand(writer: ByteWriter, command: Command): void {
  switch (command.type) {
    case 'put':
    case 'delete':
    case 'txn':
      writeOperation(writer, command);
      return;
    case 'leaseGrant':
      writer.id(command.leaseId).varint(command.ttlMs);
      return;
    case 'leaseRevoke':
      writer.id(command.leaseId);
      return;
    case 'leaseKeepAlive':
      writer.varint(command.leaseIds.length);
      for (const leaseId of command.leaseIds) writer.id(leaseId);
      return;
    case 'register':
      writer.text(command.namespace).text(command.service);
      writeInstance(writer, command.instance);
      writeLease(writer, command.leaseId);
      return;
    case 'deregister':
      writer.text(command.namespace).text(command.service).text(command.id);
      if (command.leaseId !== null) writer.id(command.leaseId);
      return;
    case 'sessionOpen':
    case 'sessionClose':
      writer.id(command.sessionId);
      return;
    case 'sessionRenew':
      writer.id(command.sessionId).varint(command.acknowledgedThrough);
      return;
    case 'compact':
      writer.u8(numberOf(command.space)).varint(command.revision);
      return;
    case 'beginIncarnation':
      return;
    case 'raiseFeatureLevel':
      writer.varint(command.level);
      return;
    default:
      unreachable(command);
  }
}

function readCommand(reader: ByteReader, kind: number, isSecond: boolean): Command {
  switch (kind) {
    case kinds.put:
      return readOperation(reader, 'put');
    case kinds.delete:
      return readOperation(reader, 'delete');
    case kinds.txn:
      return readOperation(reader, 'txn');
    case kinds.leaseGrant:
      return { type: 'leaseGrant', leaseId: reader.id(), ttlMs: reader.varint() };
    case kinds.leaseRevoke:
      return { type: 'leaseRevoke', leaseId: reader.id() };
    case kinds.leaseKeepAlive: {
      const leaseIds: string[] = [];
      for (let left = reader.varint(); left > 0; left--) leaseIds.push(reader.id());
      return { type: 'leaseKeepAlive', leaseIds };
    }
    case kinds.register:
      return {
        type: 'register',
        namespace: reader.text(),
        service: reader.text(),
        instance: readInstance(reader),
        leaseId: readLease(reader),
        replace: !isSecond,
      };
    case kinds.deregister:
      return {
        type: 'deregister',
        namespace: reader.text(),
        service: reader.text(),
        id: reader.text(),
        leaseId: isSecond ? reader.id() : null,
      };
    case kinds.sessionOpen:
      return { type: 'sessionOpen', sessionId: reader.id() };
    case kinds.sessionRenew:
      return {
        type: 'sessionRenew',
        sessionId: reader.id(),
        acknowledgedThrough: reader.varint(),
      };
    case kinds.sessionClose:
      return { type: 'sessionClose', sessionId: reader.id() };
    case kinds.compact:
      return { type: 'compact', space: readSpace(reader), revision: reader.varint() };
    case kinds.beginIncarnation:
      return { type: 'beginIncarnation' };
    case kinds.raiseFeatureLevel:
      return { type: 'raiseFeatureLevel', level: reader.varint() };
    default:
      throw new RollcallError('formatTooNew', `The command has the unknown kind ${kind}`);
  }
}

function readSpace(reader: ByteReader): KeySpaceName {
  const number = reader.u8();
  const space = keySpaces[number];
  if (space !== undefined) return space.name;
  throw new RollcallError('formatTooNew', `The command names the unknown key space ${number}`);
}

function writeLease(writer: ByteWriter, leaseId: string | null): void {
  writer.boolean(leaseId !== null);
  if (leaseId !== null) writer.id(leaseId);
}

function readLease(reader: ByteReader): string | null {
  return reader.boolean() ? reader.id() : null;
}
