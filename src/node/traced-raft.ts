/** A core whose inputs and results are noted. Ticks, heartbeats and what clients ask are left out. */
import { formatHash } from '../base/hash.ts';
import type {
  Append,
  Configuration,
  Entry,
  EntryId,
  Input,
  Message,
  NodeId,
  Raft,
  Ready,
} from '../raft/types.ts';
import type { StateDigest } from './digests.ts';
import type { Trace, TraceFields } from './trace.ts';

export function tracedRaft(raft: Raft, trace: Trace): Raft {
  const { id } = raft.status();
  const note = (event: string, fields: TraceFields): void =>
    trace.add(event, { member: id, ...fields });
  return {
    step(input) {
      noteInput(input, note);
      raft.step(input);
    },
    ready() {
      const ready = raft.ready();
      if (ready !== null) noteReady(ready, () => raft.status().currentTerm, note);
      return ready;
    },
    status: () => raft.status(),
  };
}

/** An entry is applied, and the state is this one now. */
export function traceApplied(
  trace: Trace,
  member: NodeId,
  entry: EntryId,
  { revision, digest }: StateDigest,
): void {
  trace.add('apply', { member, ...idOf(entry), revision, digest: formatHash(digest) });
}

type Note = (event: string, fields: TraceFields) => void;

function noteInput(input: Input, note: Note): void {
  switch (input.type) {
    case 'tick':
    case 'propose':
    case 'readIndex':
      return;
    case 'message':
      noteMessage('received', input.message, note);
      return;
    case 'snapshotReceived': {
      const { snapshot, term } = input;
      note('snapshot', { stage: 'received', term, last: snapshot.last });
      return;
    }
    case 'logRead': {
      const { peer, prev, entries } = input;
      note('logRead', { peer, prev, entries: entries.length });
      return;
    }
    default: {
      const { type, ...fields } = input;
      note(type, fields);
    }
  }
}

function noteReady(ready: Ready, term: () => number, note: Note): void {
  const { softState, append, committedEntries, snapshotOffer, restored } = ready;
  if (softState !== null) {
    note('role', { term: term(), role: softState.role, leader: softState.leaderId });
  }
  if (append !== null) noteAppend(append, note);
  for (const message of ready.messages) noteMessage('sent', message, note);
  if (snapshotOffer !== null) note('snapshot', { stage: 'offered', ...snapshotOffer });
  if (restored !== null) {
    note('snapshot', { stage: 'restored', last: restored.last });
    noteConfiguration('restored', restored.last, restored.configuration, note);
  }
  const [first] = committedEntries;
  const last = committedEntries.at(-1);
  if (first === undefined || last === undefined) return;
  note('commit', { first: first.index, last: idOf(last) });
  noteConfigurations('committed', committedEntries, note);
}

function noteAppend({ number, hardState, snapshot, entries }: Append, note: Note): void {
  const [first] = entries;
  const last = entries.at(-1);
  note('append', {
    append: number,
    ...(hardState === null ? {} : { hardState }),
    ...(snapshot === null ? {} : { snapshot: snapshot.last }),
    ...(first === undefined || last === undefined ? {} : { first: first.index, last: idOf(last) }),
  });
  noteConfigurations('appended', entries, note);
}

function noteMessage(event: 'sent' | 'received', message: Message, note: Note): void {
  if (message.type === 'heartbeat' || message.type === 'heartbeatResponse') return;
  const { type, from, to, ...fields } = message;
  const peer = event === 'sent' ? to : from;
  const counted = 'entries' in fields ? { ...fields, entries: fields.entries.length } : fields;
  note(event, { message: type, peer, ...counted });
}

function noteConfigurations(stage: string, entries: readonly Entry[], note: Note): void {
  for (const entry of entries) {
    if (entry.type === 'configuration') noteConfiguration(stage, entry, entry.configuration, note);
  }
}

function noteConfiguration(
  stage: string,
  entry: EntryId,
  configuration: Configuration,
  note: Note,
): void {
  const { members: _, ...sets } = configuration;
  note('configuration', { stage, ...idOf(entry), ...sets });
}

function idOf({ term, index }: EntryId): EntryId {
  return { term, index };
}
