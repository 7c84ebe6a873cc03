/**
 * Makes a cluster of one member out of what one data directory holds, offline: after a restore, or
 * when a majority is lost for good. It is another incarnation of the same cluster, with which nobody of
 * the old one speaks any more. The others are kept by their names, as learners that are lost: started with
 * empty directories they take these places by themselves.
 *
 * All that is in the log counts, committed or not: what was acknowledged may stand there without the mark
 * that it was committed, and what was not is in doubt for its client, so that it may come true.
 *
 * The step itself is in the log, so that whoever replays it comes to the same state. One append, which
 * is there as a whole or not at all, brings and commits
 *
 *   the configuration   this member as the only voter
 *   `raiseFeatureLevel` all members that are left know what this program knows
 *   `beginIncarnation`  raises the revision above all that the lost members may have given
 *   `leaseRevoke` …     for every lease; keys beyond what one command may delete go later, as always
 *   `sessionClose` …    for every session: what its client was told may not have happened
 *
 * Before it the directory gets the new incarnation, after it Level does. In between the directory is
 * of two incarnations: no member is opened on it, and doing all of this again finishes it.
 */
import { assert } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import { RollcallError } from '../base/errors.ts';
import { type Random, randomId } from '../base/prng.ts';
import { featureLevel } from '../format/feature-level.ts';
import type { Configuration, Entry, EntryId, Member, NodeId } from '../raft/types.ts';
import { encodeCommandEntry } from '../state-machine/command-codec.ts';
import type { StateMachine } from '../state-machine/state-machine.ts';
import type { Command } from '../state-machine/types.ts';
import { replaceBirth } from '../storage/identity.ts';
import type { Birth, CheckpointHeader, Files, Identity, Storage } from '../storage/types.ts';
import { Applier } from './applier.ts';
import { loadStoredMachine } from './load-machine.ts';
import { bounds } from './timing.ts';

export interface NewIncarnationOptions {
  readonly files: Files;
  /** Born. */
  readonly identity: Identity;
  /** Opened on that directory, with nothing appended. */
  readonly storage: Storage;
  readonly clock: Clock;
  readonly random: Random;
  /** Where the member is to be found, if it is none of the configuration or has moved. */
  readonly addresses: Pick<Member, 'peerAddress' | 'clientAddress'> | null;
}

/** How far a stored log goes. */
export interface LogExtent {
  readonly last: EntryId;
  /** What the member itself knows to be committed. */
  readonly commitIndex: number;
  /** The one in force at its end. */
  readonly configuration: Configuration;
}

export interface NewIncarnation {
  readonly clusterId: string;
  readonly incarnation: string;
  readonly memberId: NodeId;
  readonly revision: number;
  readonly digest: StateMachine['digest'];
  /** The names whose members are lost. */
  readonly lost: readonly string[];
}

/** So many leases are revoked, or sessions closed, by one entry. */
const endedAtOnce = 1024;

export function logExtentOf({ start, entries, hardState }: Storage): LogExtent {
  const configurations = entries.filter((entry) => entry.type === 'configuration');
  return {
    last: entries.at(-1) ?? start.last,
    commitIndex: Math.max(hardState.commitIndex, start.last.index),
    configuration: configurations.at(-1)?.configuration ?? start.configuration,
  };
}

/** Durable when it resolves; the caller closes the storage. Throws `dataDamaged` when the state is missing. */
export async function beginIncarnation(options: NewIncarnationOptions): Promise<NewIncarnation> {
  const { files, identity, storage, clock, random } = options;
  const { memberId, birth: old } = identity;
  assert(old !== null, 'Only a member that was born has something to go on from');
  if (storage.isStateMissing) {
    throw new RollcallError('dataDamaged', 'The state of this member is missing; take another one');
  }
  const { entries } = storage;
  const extent = logExtentOf(storage);
  const configuration = aloneIn(extent.configuration, ownMember(options, extent.configuration));
  const incarnation = randomId(random);
  const first = extent.last.index + 1;
  const birth = { clusterId: old.clusterId, incarnation, configuration, configurationIndex: first };
  const machine = await loadStoredMachine(storage, featureLevel);
  // The directory is known to be unfinished by the checkpoint of the old incarnation in it.
  if (storage.checkpoint === null) await checkpointStart(storage, machine, old);
  // From here on there is no way back: what was not committed is applied.
  await replaceBirth(files, birth);
  const before = {
    ...storage.start,
    incarnation: storage.checkpoint?.incarnation ?? old.incarnation,
  };
  await apply({ storage, machine, birth, ...before, entries });
  const term = Math.max(storage.hardState.currentTerm, extent.last.term) + 1;
  const step = stepEntries(machine, { term, index: first }, configuration, clock.wall());
  const commitIndex = first + step.length - 1;
  const hardState = { currentTerm: term, votedFor: memberId, commitIndex };
  await storage.append({ number: 1, hardState, snapshot: null, entries: step });
  const after = { last: extent.last, configuration: extent.configuration, incarnation };
  await apply({ storage, machine, birth, ...after, entries: step });
  await storage.checkpointNow();
  const lost = configuration.learners.map((id) => nameIn(configuration, id));
  const { revision, digest } = machine;
  return { clusterId: old.clusterId, incarnation, memberId, revision, digest, lost };
}

/**
 * Throws `dataDirectory` for a directory that `beginIncarnation` has not finished: its log may be
 * without the step, or its state may be called that of the old incarnation.
 */
export function refuseUnfinished(checkpoint: CheckpointHeader | null, birth: Birth): void {
  if (checkpoint === null || checkpoint.incarnation === birth.incarnation) return;
  throw new RollcallError(
    'dataDirectory',
    'A forced recovery of this data directory was interrupted: recover it again',
  );
}

/** Of a member that never wrote its state out: nothing is applied in what it has. */
async function checkpointStart(
  storage: Storage,
  machine: StateMachine,
  { clusterId, incarnation }: Birth,
): Promise<void> {
  const { last, configuration } = storage.start;
  const { revision, logTimeMs, wallTimeMs, compactRevisions, digest } = machine;
  const { removedRevisions, timeMarks } = machine;
  storage.applied(() => ({
    ...{ applied: last, configuration, clusterId, incarnation },
    ...{
      featureLevel: machine.featureLevel,
      revision,
      logTimeMs,
      wallTimeMs,
      ...{ compactRevisions, removedRevisions, timeMarks },
      digest,
    },
  }));
  await storage.checkpointNow();
}

/** Throws `dataDirectory` for a member that is not in the configuration at the end of its own log. */
export function refuseRemoved(
  { memberId, name }: Pick<Identity, 'memberId' | 'name'>,
  { start, entries }: Pick<Storage, 'start' | 'entries'>,
): void {
  let isMember = isIn(start.configuration, memberId);
  // A log that began after the removal does not say which entry it was.
  let by = `entry ${start.last.index} at the latest`;
  for (const entry of entries) {
    if (entry.type !== 'configuration') continue;
    const wasMember = isMember;
    isMember = isIn(entry.configuration, memberId);
    if (wasMember && !isMember) by = `entry ${entry.index}`;
  }
  if (isMember) return;
  const message = `"${name}" was removed from its cluster by ${by}; choose another directory`;
  throw new RollcallError('dataDirectory', message);
}

async function apply(work: {
  readonly storage: Storage;
  readonly machine: StateMachine;
  readonly birth: Birth;
  readonly incarnation: string;
  readonly last: EntryId;
  readonly configuration: Configuration;
  readonly entries: readonly Entry[];
}): Promise<void> {
  const { storage, machine, birth, incarnation, last, configuration, entries } = work;
  // What is pushed at once is held at once: the log is not read.
  const unread = { refilled() {}, failed() {} };
  const handlers = { applied() {}, configured() {}, changed() {}, reach() {}, ...unread };
  const applier = new Applier({
    ...{ machine, storage, last, configuration, handlers },
    cluster: { clusterId: birth.clusterId, incarnation },
    ...{ featureLevelMax: featureLevel, backlogBytesMax: bounds.backlogBytesMax },
  });
  applier.push(entries);
  // It stops where the memory is full.
  while (applier.run(() => true)) await storage.checkpointNow();
}

function stepEntries(
  machine: StateMachine,
  { term, index }: EntryId,
  configuration: Configuration,
  wallTimeMs: number,
): Entry[] {
  const { logTimeMs } = machine;
  const entries: Entry[] = [{ type: 'configuration', term, index, configuration }];
  const add = (commands: readonly Command[]): void => {
    const command = encodeCommandEntry({
      ...{ logTimeMs, wallTimeMs },
      commands: commands.map((one) => ({ session: null, command: one })),
    });
    entries.push({ type: 'command', term, index: index + entries.length, command });
  };
  add([{ type: 'raiseFeatureLevel', level: featureLevel }, { type: 'beginIncarnation' }]);
  const endings: Command[] = [
    ...machine.leaseList().map(({ leaseId }) => ({ type: 'leaseRevoke', leaseId }) as const),
    ...Array.from(
      machine.sessionIds,
      (sessionId) => ({ type: 'sessionClose', sessionId }) as const,
    ),
  ];
  for (let at = 0; at < endings.length; at += endedAtOnce) {
    add(endings.slice(at, at + endedAtOnce));
  }
  return entries;
}

function ownMember(
  { identity: { memberId, name }, addresses }: NewIncarnationOptions,
  { members }: Configuration,
): Member {
  const found = members.find(({ id }) => id === memberId);
  const place = addresses ?? found;
  assert(place !== undefined, () => `Member ${memberId} is not in its own configuration`);
  const { peerAddress, clientAddress } = place;
  return {
    ...{ id: memberId, name, peerAddress, clientAddress, featureLevel },
    ...{ replaces: null, autoPromote: false },
  };
}

/** Each other name keeps one place; that of a voter is a voter's again once it is taken. */
function aloneIn(configuration: Configuration, own: Member): Configuration {
  const { members, learners } = configuration;
  const lost = new Map<string, Member>();
  for (const member of members) {
    if (member.name === own.name) continue;
    const isToVote = member.autoPromote || !learners.includes(member.id);
    const autoPromote = isToVote || lost.get(member.name)?.autoPromote === true;
    lost.set(member.name, { ...member, replaces: null, autoPromote });
  }
  const others = [...lost.values()];
  return {
    members: [own, ...others],
    voters: [own.id],
    votersOutgoing: [],
    learners: others.map(({ id }) => id),
    learnersNext: [],
  };
}

function isIn({ members }: Configuration, id: NodeId): boolean {
  return members.some((member) => member.id === id);
}

function nameIn({ members }: Configuration, id: NodeId): string {
  return members.find((member) => member.id === id)?.name ?? id;
}
