/** How the traces in testdata show what a core says. */
import type {
  Configuration,
  Entry,
  EntryId,
  Message,
  NodeId,
  Ready,
  SnapshotMetadata,
} from '../../src/raft/types.ts';

export function showId({ term, index }: EntryId): string {
  return `${term}.${index}`;
}

export function showEntry(entry: Entry): string {
  switch (entry.type) {
    case 'noop':
      return `${showId(entry)} noop`;
    case 'command':
      return `${showId(entry)} "${new TextDecoder().decode(entry.command)}"`;
    case 'configuration':
      return `${showId(entry)} ${showConfiguration(entry.configuration)}`;
  }
}

export function showConfiguration(configuration: Configuration): string {
  const { voters, votersOutgoing, learners, learnersNext } = configuration;
  const outgoing = votersOutgoing.length > 0 ? ` outgoing (${votersOutgoing.join(' ')})` : '';
  const learning = learners.length > 0 ? ` learners (${learners.join(' ')})` : '';
  const next = learnersNext.length > 0 ? ` next (${learnersNext.join(' ')})` : '';
  return `voters (${voters.join(' ')})${outgoing}${learning}${next}`;
}

function showSnapshot({ last, configuration }: SnapshotMetadata): string {
  return `${showId(last)} ${showConfiguration(configuration)}`;
}

export function showMessage(message: Message): string {
  return `${message.from} → ${message.to} ${showContent(message)}`;
}

function showContent(message: Message): string {
  switch (message.type) {
    case 'requestVote': {
      const kind = message.preVote ? 'requestPreVote' : 'requestVote';
      const early = message.isEarly ? 'early ' : '';
      const transfer = message.isTransfer ? ' transfer' : '';
      return `${early}${kind} term=${message.term} last=${showId(message.last)}${transfer}`;
    }
    case 'requestVoteResponse': {
      const kind = message.preVote ? 'preVote' : 'vote';
      const sticky = message.isSticky ? ' for stickiness' : '';
      return `${kind} ${message.voteGranted ? 'granted' : 'refused'} term=${message.term}${sticky}`;
    }
    case 'appendEntries': {
      const { term, prev, leaderCommit, entries } = message;
      const shown = entries.map(showEntry).join(', ');
      return `append term=${term} prev=${showId(prev)} commit=${leaderCommit} [${shown}]`;
    }
    case 'appendEntriesResponse':
      return message.success
        ? `append acknowledged term=${message.term} match=${message.matchIndex}`
        : `append rejected term=${message.term} at=${message.rejected} hint=${showId(message.hint)}`;
    case 'heartbeat':
      return `heartbeat term=${message.term} commit=${message.leaderCommit} round=${message.readRound}`;
    case 'heartbeatResponse':
      return `heartbeat answered term=${message.term} round=${message.readRound}`;
    case 'timeoutNow':
      return `timeoutNow term=${message.term}`;
    case 'installSnapshot':
      return `installSnapshot term=${message.term} last=${showId(message.last)}`;
  }
}

/** One line for each thing that a Ready asks for. */
export function showReady(id: NodeId, ready: Ready, term: number): string[] {
  const lines: string[] = [];
  const { softState, append } = ready;
  if (softState !== null) {
    const following = softState.role === 'follower' ? ` of ${softState.leaderId ?? 'nobody'}` : '';
    lines.push(`${id} is ${softState.role}${following} in term ${term}`);
  }
  for (const accepted of ready.accepted) lines.push(`${id} accepts ${showId(accepted.entry)}`);
  for (const { leaderId } of ready.dropped)
    lines.push(`${id} drops, leader is ${leaderId ?? 'unknown'}`);
  if (append !== null) {
    const { hardState, snapshot, entries, number } = append;
    const state =
      hardState === null
        ? ''
        : ` term=${hardState.currentTerm} vote=${hardState.votedFor ?? 'nobody'} commit=${hardState.commitIndex}`;
    const point = snapshot === null ? '' : ` snapshot ${showSnapshot(snapshot)}`;
    lines.push(`${id} writes #${number}${state}${point} [${entries.map(showEntry).join(', ')}]`);
  }
  for (const { reason, member } of ready.refused) {
    lines.push(`${id} refuses: ${reason}${member === null ? '' : ` ${member}`}`);
  }
  for (const message of ready.messages) lines.push(showMessage(message));
  for (const { peer, from } of ready.logReads)
    lines.push(`${id} reads its log from ${from} for ${peer}`);
  if (ready.snapshotOffer !== null) {
    const { from, last } = ready.snapshotOffer;
    lines.push(`${id} is offered a state of ${showId(last)} by ${from}`);
  }
  if (ready.restored !== null) lines.push(`${id} goes on from ${showSnapshot(ready.restored)}`);
  if (ready.committedEntries.length > 0) {
    lines.push(`${id} applies ${ready.committedEntries.map(showEntry).join(', ')}`);
  }
  for (const read of ready.readStates) lines.push(`${id} answers read ${read.id} at ${read.index}`);
  return lines;
}
