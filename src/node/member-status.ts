import { formatHash } from '../base/hash.ts';
import type { Index, Status } from '../raft/types.ts';
import type { StateMachine } from '../state-machine/state-machine.ts';
import type { Birth } from '../storage/types.ts';
import type { StateDigest } from './digests.ts';
import { standingOf } from './membership.ts';
import type { Room } from './room.ts';
import type { Bounds } from './timing.ts';
import type { MemberStatus, Trouble } from './types.ts';

export interface StatusParts {
  readonly name: string;
  readonly birth: Pick<Birth, 'clusterId' | 'incarnation'>;
  readonly raft: Status;
  /** As of `appliedIndex`. */
  readonly state: StateDigest;
  readonly machine: Pick<
    StateMachine,
    'featureLevel' | 'compactRevision' | 'removedRevision' | 'storedBytes'
  >;
  readonly bounds: Pick<Bounds, 'quotaBytes' | 'historyAgeMs' | 'historyRevisions'>;
  readonly featureLevelMax: number;
  readonly appliedIndex: Index;
  readonly isRemoved: boolean;
  readonly isStateMissing: boolean;
  readonly room: Pick<Room, 'isShort' | 'quotaTrouble'>;
}

/** What a member says of itself. */
export function memberStatus(parts: StatusParts): MemberStatus {
  const { name, birth, raft, state, machine, bounds, room, isRemoved, isStateMissing } = parts;
  const troubles: Trouble[] = [];
  if (isStateMissing) troubles.push('stateMissing');
  if (room.isShort) troubles.push('noSpace');
  if (room.quotaTrouble !== null) troubles.push(room.quotaTrouble);
  const { members } = raft.configuration;
  const leader = members.find(({ id }) => id === raft.leaderId);
  return {
    clusterId: birth.clusterId,
    incarnation: birth.incarnation,
    memberId: raft.id,
    name,
    role: raft.role,
    standing: isRemoved ? 'removed' : standingOf(raft.id, raft),
    troubles,
    term: raft.currentTerm,
    leaderId: raft.leaderId,
    leaderName: leader?.name ?? null,
    leaderAddress: leader?.clientAddress ?? null,
    members: members.map(({ id, clientAddress }) => ({ id, clientAddress })),
    ...{ featureLevel: machine.featureLevel, featureLevelMax: parts.featureLevelMax },
    commitIndex: raft.commitIndex,
    appliedIndex: isStateMissing ? 0 : parts.appliedIndex,
    revision: state.revision,
    compactRevision: machine.compactRevision('kv'),
    removedRevision: machine.removedRevision('kv'),
    storedBytes: machine.storedBytes,
    quotaBytes: bounds.quotaBytes,
    historyAgeMs: bounds.historyAgeMs,
    historyRevisions: bounds.historyRevisions,
    digest: formatHash(state.digest),
  };
}
