import type { Mutant } from './mutant.ts';

/** Votes, terms, and who leads for how long. */
export const elections: readonly Mutant[] = [
  {
    name: 'vote-told-before-durable',
    file: 'src/raft/promises.ts',
    find: 'if (!persistence.isDurable(own.currentTerm, own.votedFor)) return;',
    replace: '',
    story: 'A vote is granted while it is still on its way to the disk.',
    shownBy: ['power cut', 'leader change'],
  },
  {
    name: 'own-vote-not-awaited',
    file: 'src/raft/raft.ts',
    find: 'const isVoteDurable = core.persistence.isDurable(core.currentTerm, core.id);',
    replace: 'const isVoteDurable = true;',
    story: 'A candidate asks for votes as soon as an append is durable, whichever it is.',
    shownBy: ['slow disk', 'power cut'],
  },
  {
    name: 'vote-forgotten-by-restart',
    file: 'src/storage/wal/group.ts',
    find: 'return { currentTerm, commitIndex, votedFor: reader.boolean() ? reader.id() : null };',
    replace: `if (reader.boolean()) reader.id();
  return { currentTerm, commitIndex, votedFor: null };`,
    story: 'A restart brings back the term, but not the vote that was given in it.',
    shownBy: ['restart', 'leader change'],
  },
  {
    name: 'longer-log-is-newer',
    file: 'src/raft/log.ts',
    find: 'return last.term > own.term || (last.term === own.term && last.index >= own.index);',
    replace: 'return last.index >= own.index;',
    story: 'Of two logs the longer one counts as the more up to date, whatever its last term.',
    shownBy: ['partition', 'leader change'],
  },
  {
    name: 'shorter-log-of-same-term-wins',
    file: 'src/raft/log.ts',
    find: 'return last.term > own.term || (last.term === own.term && last.index >= own.index);',
    replace: 'return last.term >= own.term;',
    story: 'A candidate whose log ends in the same term gets the vote, though its log is shorter.',
    shownBy: ['leader change'],
  },
  {
    name: 'half-is-a-majority',
    file: 'src/raft/quorum.ts',
    find: 'return Math.floor(voters.length / 2) + 1;',
    replace: 'return Math.ceil(voters.length / 2);',
    story: 'Two of four voters decide.',
    shownBy: ['even voters', 'partition'],
  },
  {
    name: 'answers-of-old-terms-count',
    file: 'src/raft/door.ts',
    find: `    answerOutdated(core, message);
    return false;`,
    replace: `    answerOutdated(core, message);
    return message.type === 'appendEntriesResponse';`,
    story: 'An acknowledgement that was given in an earlier term is counted in this one.',
    shownBy: ['stray messages', 'leader change'],
  },
  {
    name: 'outdated-leader-is-not-told',
    file: 'src/raft/door.ts',
    find: 'if (leaderBehind(message) !== null) {',
    replace: `if (leaderBehind(message) !== null && core.role === 'leader') {`,
    story: 'A leader of an older term hears nothing from a member that has moved on.',
    shownBy: ['partition', 'leader change'],
  },
  {
    name: 'deaf-leader-stays',
    file: 'src/raft/leader.ts',
    find: `return heard === 'won';`,
    replace: 'return true;',
    story: 'A leader that hears nobody goes on to keep the others from an election.',
    shownBy: ['partition'],
  },
  {
    name: 'leader-with-hung-disk-stays',
    file: 'src/node/health.ts',
    find: 'const shouldFollow = this.#diskWatch.isStalled || this.#options.isStateMissing();',
    replace: 'const shouldFollow = this.#options.isStateMissing();',
    story: 'A leader whose disk hangs does not hand over.',
    shownBy: ['disk hangs'],
  },
  {
    name: 'vote-told-with-its-term-only-durable',
    file: 'src/raft/promises.ts',
    find: 'if (!persistence.isDurable(own.currentTerm, own.votedFor)) return;',
    replace: 'if (!persistence.isTermDurable(own.currentTerm)) return;',
    story: 'Term and vote get to the disk one after the other, and the vote is told in between.',
    shownBy: ['power cut', 'leader change'],
  },
  {
    name: 'heartbeat-does-not-rewind-the-timer',
    file: 'src/raft/follower.ts',
    find: 'if (core.leaderId === leaderId) core.timer.rewind();',
    replace: 'if (core.leaderId === leaderId) return;',
    story: 'Members campaign against a leader that they hear.',
    shownBy: [],
  },
];
