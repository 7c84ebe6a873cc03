import type { Mutant } from './mutant.ts';

/** Log that is removed, and states that take its place. */
export const statesAndOldLog: readonly Mutant[] = [
  {
    name: 'state-keeps-a-divergent-tail',
    file: 'src/raft/log.ts',
    find: `  restore({ last, configuration }: SnapshotMetadata): void {
    if (this.matches(last)) {`,
    replace: `  restore({ last, configuration }: SnapshotMetadata): void {
    if (last.index <= this.lastIndex) {`,
    story: 'Entries behind a received state stay, though they follow another entry than its last.',
    shownBy: ['leader change', 'state received'],
  },
  {
    name: 'given-up-log-counts-as-durable',
    file: 'src/raft/core.ts',
    find: 'this.persistence.truncateFrom(equalThrough + 1);',
    replace: '',
    story: 'A received state is acknowledged because the disk holds the log that it replaces.',
    shownBy: ['leader change', 'state received'],
  },
  {
    name: 'received-configuration-forgotten',
    file: 'src/node/applier.ts',
    find: `this.#last = applied;
    this.#configuration = configuration;`,
    replace: 'this.#last = applied;',
    story: 'The next checkpoint after a received state names the configuration before it.',
    shownBy: ['state received', 'restart'],
  },
  {
    name: 'lost-by-a-state-called-definite',
    file: 'src/node/proposals.ts',
    find: `this.#answerAll(batch, new RollcallError('leadershipLost', message));
    }
  }`,
    replace: `this.#answerAll(batch, new RollcallError('leadershipLost', message, { definite: true }));
    }
  }`,
    story: 'Whoever took over a state says of its pending writes that they surely did not happen.',
    shownBy: ['partition', 'state received'],
  },
  {
    name: 'log-removed-before-the-state-has-it',
    file: 'src/storage/member-storage.ts',
    find: 'const limit = Math.min(through, appliedIndex(this.checkpoint));',
    replace: 'const limit = through;',
    story: 'Log is removed that the stored state does not hold yet.',
    shownBy: ['old log removed', 'restart'],
  },
  {
    name: 'replaced-entries-read-back',
    file: 'src/storage/wal/reader.ts',
    find: `  while ((index.firsts.at(-1) ?? 0) >= first) {
    index.firsts.pop();
    index.positions.pop();
    index.lengths.pop();
  }
`,
    replace: '',
    story: 'A follower that is far behind is sent entries that were replaced.',
    shownBy: ['leader change', 'partition'],
  },
  {
    name: 'state-taken-in-an-old-term',
    file: 'src/raft/snapshots.ts',
    find: 'if (term > core.currentTerm) core.becomeFollower(term, null);',
    replace: '',
    story: 'Who has taken over a state tells a leader from before it that it holds the same log.',
    shownBy: ['leader change', 'state received'],
  },
  {
    name: 'offered-state-counts-as-held',
    file: 'src/raft/snapshots.ts',
    find: 'core.promises.oweAcknowledgement(message.from, core.commitIndex);',
    replace: `core.promises.oweAcknowledgement(
    message.from,
    Math.max(core.commitIndex, Math.min(last.index, core.log.lastIndex)),
  );`,
    story: 'A follower acknowledges its own entries up to where a state is offered.',
    shownBy: ['leader change', 'state received'],
  },
  {
    name: 'owed-log-given-up',
    file: 'src/node/log-retention.ts',
    find: 'return Math.min(index, owed ?? Number.POSITIVE_INFINITY);',
    replace: 'return index;',
    story: 'The log after a state that is on its way is given up, so that it takes another state.',
    shownBy: ['state received', 'slow disk'],
  },
];
