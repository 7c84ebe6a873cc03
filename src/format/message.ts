/** Canonical bytes of the messages between members. A frame holds a list of them; all of one term or more. */
import { ByteReader, ByteWriter } from '../base/bytes.ts';
import { RollcallError } from '../base/errors.ts';
import { expectVersion } from './configuration.ts';
import { decodeEntry, decodeEntryId, encodeEntry, encodeEntryId } from './entry.ts';
import type { AppendEntriesResponse, Entry, EntryId, Message, NodeId, Term } from './types.ts';

const version = 2;

const kinds = [
  'requestVote',
  'requestVoteResponse',
  'appendEntries',
  'appendEntriesResponse',
  'heartbeat',
  'heartbeatResponse',
  'timeoutNow',
  'installSnapshot',
] as const satisfies readonly Message['type'][];
const kindNumbers = new Map<Message['type'], number>(kinds.map((kind, number) => [kind, number]));

const writer = new ByteWriter(64 * 1024);

export function encodeMessages(messages: readonly Message[]): Uint8Array {
  writer.u8(version).varint(messages.length);
  for (const message of messages) encodeMessage(message);
  return writer.finish();
}

/** Throws `malformedFrame` on anything but a whole list of known messages. */
export function decodeMessages(bytes: Uint8Array): Message[] {
  const reader = new ByteReader(bytes);
  expectVersion(reader.u8(), version, 'peer frame');
  const messages: Message[] = [];
  for (let left = reader.varint(); left > 0; left--) messages.push(decodeMessage(reader));
  reader.end();
  return messages;
}

function encodeMessage(message: Message): void {
  writer.u8(kindNumbers.get(message.type) as number);
  writer.id(message.from).id(message.to).varint(message.term);
  switch (message.type) {
    case 'requestVote':
      writer.boolean(message.preVote).boolean(message.isTransfer).boolean(message.isEarly);
      encodeEntryId(writer, message.last);
      return;
    case 'requestVoteResponse':
      writer.boolean(message.preVote).boolean(message.voteGranted).boolean(message.isSticky);
      return;
    case 'appendEntries':
      encodeEntryId(writer, message.prev);
      writer.varint(message.leaderCommit).varint(message.entries.length);
      for (const entry of message.entries) encodeEntry(writer, entry);
      return;
    case 'appendEntriesResponse':
      writer.boolean(message.success);
      if (message.success) {
        writer.varint(message.matchIndex);
        return;
      }
      writer.varint(message.rejected);
      encodeEntryId(writer, message.hint);
      return;
    case 'heartbeat':
      writer.varint(message.leaderCommit).varint(message.readRound);
      return;
    case 'heartbeatResponse':
      writer.varint(message.readRound);
      return;
    case 'timeoutNow':
      return;
    case 'installSnapshot':
      encodeEntryId(writer, message.last);
      return;
  }
}

interface Envelope {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly term: Term;
}

function decodeMessage(reader: ByteReader): Message {
  const number = reader.u8();
  const type = kinds[number];
  if (type === undefined) {
    throw new RollcallError('malformedFrame', `Unknown message kind ${number}`);
  }
  const envelope: Envelope = { from: reader.id(), to: reader.id(), term: reader.varint() };
  switch (type) {
    case 'requestVote':
      return {
        type,
        ...envelope,
        preVote: reader.boolean(),
        isTransfer: reader.boolean(),
        isEarly: reader.boolean(),
        last: decodeEntryId(reader),
      };
    case 'requestVoteResponse':
      return {
        type,
        ...envelope,
        preVote: reader.boolean(),
        voteGranted: reader.boolean(),
        isSticky: reader.boolean(),
      };
    case 'appendEntries': {
      const prev = decodeEntryId(reader);
      const leaderCommit = reader.varint();
      const entries = decodeEntries(reader, prev, envelope.term);
      return { type, ...envelope, prev, leaderCommit, entries };
    }
    case 'appendEntriesResponse':
      return decodeAppendEntriesResponse(reader, envelope);
    case 'heartbeat':
      return { type, ...envelope, leaderCommit: reader.varint(), readRound: reader.varint() };
    case 'heartbeatResponse':
      return { type, ...envelope, readRound: reader.varint() };
    case 'timeoutNow':
      return { type, ...envelope };
    case 'installSnapshot':
      return { type, ...envelope, last: decodeEntryId(reader) };
  }
}

function decodeAppendEntriesResponse(
  reader: ByteReader,
  envelope: Envelope,
): AppendEntriesResponse {
  const type = 'appendEntriesResponse';
  if (reader.boolean()) {
    return { type, ...envelope, success: true, matchIndex: reader.varint() };
  }
  return {
    type,
    ...envelope,
    success: false,
    rejected: reader.varint(),
    hint: decodeEntryId(reader),
  };
}

/**
 * Entries follow `prev` and each other without a gap, in terms that never fall and are not beyond the
 * message's own: what breaks that never reaches the core.
 */
function decodeEntries(reader: ByteReader, prev: EntryId, termMax: Term): Entry[] {
  const entries: Entry[] = [];
  let before = prev;
  for (let left = reader.varint(); left > 0; left--) {
    const entry = decodeEntry(reader);
    const { term, index } = entry;
    if (index !== before.index + 1 || term < before.term || term > termMax) {
      throw new RollcallError(
        'malformedFrame',
        `Entry ${term}/${index} after ${before.term}/${before.index} in a message of term ${termMax}`,
      );
    }
    entries.push(entry);
    before = entry;
  }
  return entries;
}
