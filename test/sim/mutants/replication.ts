import type { Mutant } from './mutant.ts';

/** What is sent, acknowledged, counted and cut. */
export const replication: readonly Mutant[] = [
  {
    name: 'old-terms-committed-by-count',
    file: 'src/raft/commitment.ts',
    find: 'if (index > core.commitIndex && core.log.termAt(index) === core.currentTerm) {',
    replace: 'if (index > core.commitIndex) {',
    story: 'Entries of earlier terms are committed by counting copies (Raft, Figure 8).',
    shownBy: ['leader change', 'partition'],
  },
  {
    name: 'leader-counts-own-memory',
    file: 'src/raft/commitment.ts',
    find: 'id === core.id ? core.persistence.persistedIndex :',
    replace: 'id === core.id ? core.log.lastIndex :',
    story: 'The leader counts itself for entries that its own disk does not hold yet.',
    shownBy: ['slow disk', 'crash'],
  },
  {
    name: 'acknowledged-before-durable',
    file: 'src/raft/promises.ts',
    find: 'const index = Math.min(persistence.persistedIndex, this.#matchIndex);',
    replace: 'const index = this.#matchIndex;',
    story: 'A follower acknowledges entries that are only in its memory.',
    shownBy: ['power cut', 'leader change'],
  },
  {
    name: 'acknowledged-before-term-durable',
    file: 'src/raft/promises.ts',
    find: 'if (index < this.#firstMatchIndex || !persistence.isTermDurable(own.currentTerm)) return;',
    replace: 'if (index < this.#firstMatchIndex) return;',
    story: 'A follower acknowledges in a term that a crash would make it forget.',
    shownBy: ['power cut', 'leader change'],
  },
  {
    name: 'cut-entries-count-as-durable',
    file: 'src/raft/persistence.ts',
    find: 'this.#persistedIndex = Math.min(this.#persistedIndex, index - 1);',
    replace: '',
    story: 'Entries that replaced others are acknowledged because the disk holds those others.',
    shownBy: ['leader change', 'slow disk'],
  },
  {
    name: 'replacing-entries-not-written',
    file: 'src/raft/persistence.ts',
    find: 'this.#handedOutIndex = Math.min(this.#handedOutIndex, index - 1);',
    replace: '',
    story: 'Entries that replaced others never get to the disk, which keeps the others.',
    shownBy: ['leader change', 'restart'],
  },
  {
    name: 'late-append-cuts',
    file: 'src/raft/follower.ts',
    find: 'if (core.log.matches(entry)) continue;',
    replace: '',
    story: 'An append that comes late cuts off newer entries, though it contradicts none.',
    shownBy: ['stray messages'],
  },
  {
    name: 'commits-beyond-the-message',
    file: 'src/raft/follower.ts',
    find: 'core.commitTo(Math.min(message.leaderCommit, lastNew));',
    replace: 'core.commitTo(Math.min(message.leaderCommit, core.log.lastIndex));',
    story: 'A follower commits what stands behind the entries that the leader vouched for.',
    shownBy: ['leader change', 'lost messages'],
  },
  {
    name: 'acknowledges-whole-log',
    file: 'src/raft/follower.ts',
    find: 'core.promises.oweAcknowledgement(message.from, Math.max(lastNew, core.commitIndex));',
    replace: 'core.promises.oweAcknowledgement(message.from, core.log.lastIndex);',
    story: 'A follower acknowledges its whole log, with what the leader never sent.',
    shownBy: ['leader change', 'partition'],
  },
  {
    name: 'hint-counts-as-held',
    file: 'src/raft/progress.ts',
    find: 'this.#nextIndex = Math.max(Math.min(rejected, probeIndex + 1), this.#matchIndex + 1);',
    replace: `this.#nextIndex = Math.max(Math.min(rejected, probeIndex + 1), this.#matchIndex + 1);
    this.#matchIndex = this.#nextIndex - 1;`,
    story: 'The leader counts as held what a rejection only named as a place to look at.',
    shownBy: ['leader change', 'partition'],
  },
  {
    name: 'lost-probe-not-repeated',
    file: 'src/raft/progress.ts',
    find: `this.#confirmedRound = Math.max(this.#confirmedRound, readRound);
    this.#isPaused = false;
    if (this.#state !== 'replicate' || this.#matchIndex < lastIndex) this.#isNudged = true;`,
    replace: `this.#confirmedRound = Math.max(this.#confirmedRound, readRound);
    if (this.#state === 'snapshot') this.#isNudged = true;`,
    story: 'What was lost on its way to a follower is never sent again.',
    shownBy: ['lost messages'],
  },
  {
    name: 'no-entry-opens-the-term',
    file: 'src/raft/core.ts',
    find: `this.log.append({ term: this.#currentTerm, index: firstIndex, type: 'noop' });`,
    replace: '',
    story:
      'A new leader appends nothing, so what is committed stays unknown until somebody writes.',
    shownBy: ['leader change'],
  },
];
