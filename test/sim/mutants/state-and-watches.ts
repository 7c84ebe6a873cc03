import type { Mutant } from './mutant.ts';

/** What commands do to the state, and what watches see of it. */
export const stateAndWatches: readonly Mutant[] = [
  {
    name: 'put-revives-a-deleted-key',
    file: 'src/mvcc/key-space.ts',
    find: 'const before = newest === -1 || table.isTombstone(newest) ? -1 : newest;',
    replace: 'const before = newest;',
    story: 'A put after a delete goes on with the deleted generation.',
    shownBy: [],
  },
  {
    name: 'put-does-not-look-for-its-lease',
    file: 'src/mvcc/operation.ts',
    find: 'return leaseNotFound(leaseId);',
    replace: 'return null;',
    story: 'A put under a lease that is gone is not refused.',
    shownBy: [],
  },
  {
    name: 'count-ends-at-the-limit',
    file: 'src/mvcc/range.ts',
    find: 'return { pairs, count: range.count, more };',
    replace:
      'return { pairs, count: request.countOnly ? range.count : pairs.length, more: false };',
    story: 'A limited range counts what it returns, and never says that there is more.',
    shownBy: [],
  },
  {
    name: 'first-compare-decides',
    file: 'src/mvcc/operation.ts',
    find: 'if (outcome !== true) return outcome;',
    replace: 'return outcome;',
    story: 'A transaction looks at the first of its compares only.',
    shownBy: ['concurrent requests'],
  },
  {
    name: 'replaced-registration-is-removed',
    file: 'src/registry/registration.ts',
    find: 'if (leaseId !== null && before.leaseId !== leaseId) return replaced(service, id);',
    replace: '',
    story: 'A late deregistration takes away what another process has registered since.',
    shownBy: ['concurrent requests'],
  },
  {
    name: 'other-leaders-outcome-is-answered',
    file: 'src/node/proposals.ts',
    find: 'if (batch.entry.term !== entry.term) {',
    replace: 'if (batch.entry.term > entry.term) {',
    story:
      'A deposed leader answers its clients with the outcome of the entry that took their place.',
    shownBy: ['partition', 'leader change'],
  },
  {
    name: 'timeout-called-definite',
    file: 'src/node/proposals.ts',
    find: `new RollcallError('timeout', 'No majority has confirmed the write in time'),`,
    replace: `new RollcallError('timeout', 'No majority has confirmed the write', { definite: true }),`,
    story: 'A client is told that its write surely did not happen, though it may yet.',
    shownBy: ['partition', 'lost messages'],
  },
  {
    name: 'watch-begins-one-too-late',
    file: 'src/node/streams.ts',
    find: 'const from = request.startRevision === 0 ? revision + 1 : request.startRevision;',
    replace: 'const from = request.startRevision === 0 ? revision + 1 : request.startRevision + 1;',
    story: 'A watch that goes on elsewhere leaves out one revision.',
    shownBy: ['restart'],
  },
  {
    name: 'resumed-watch-skips',
    file: 'src/node/watch-hub.ts',
    find: `if (watcher.place === 'paused') this.#place(watcher);`,
    replace: `if (watcher.place === 'paused') this.#enliven(watcher);`,
    story: 'A watch whose consumer was slow goes on with the newest events.',
    shownBy: ['slow consumer'],
  },
  {
    name: 'watch-page-loses-a-revision',
    file: 'src/mvcc/key-space.ts',
    find: 'if (isFull && revision !== previous) return { revisions, next: revision };',
    replace: 'if (isFull && revision !== previous) return { revisions, next: revision + 1 };',
    story: 'Between two pages of history one revision falls out.',
    shownBy: ['partition'],
  },
  {
    name: 'transaction-split-across-pages',
    file: 'src/mvcc/key-space.ts',
    find: 'if (isFull && revision !== previous) return { revisions, next: revision };',
    replace: 'if (isFull) return { revisions, next: revision };',
    story: 'A page of history ends within a revision, which is seen again on the next page.',
    shownBy: ['partition'],
  },
  {
    name: 'watch-misses-the-received-state',
    file: 'src/node/watch-hub.ts',
    find: `this.#displace(watcher);
      this.#place(watcher);`,
    replace: `this.#displace(watcher);
      this.#enliven(watcher);`,
    story: 'Watches do not see what a received state holds beyond the one before.',
    shownBy: ['partition', 'state received'],
  },
  {
    name: 'leases-forgotten-by-restart',
    file: 'src/state-machine/state.ts',
    find: "if (record.type === 'lease') this.#loadLease(record);\n    else if",
    replace: "if (record.type === 'lease') return;\n    else if",
    story: 'Who restarts, or takes over a state, has its keys but not its leases.',
    shownBy: ['restart'],
  },
  {
    name: 'revisions-restart-from-the-log',
    file: 'src/state-machine/state.ts',
    find: 'this.revision = header.revision;',
    replace: 'this.revision = Math.max(header.revision, header.applied.index);',
    story: 'After a restart revisions go on from the position in the log.',
    shownBy: ['restart'],
  },
  {
    name: 'view-begins-one-too-late',
    file: 'src/node/view-streams.ts',
    find: 'from: revision + 1 }',
    replace: 'from: revision + 2 }',
    story: 'What changes right after a view was given is missing from it.',
    shownBy: ['concurrent requests'],
  },
  {
    name: 'compare-sees-the-first-version',
    file: 'src/mvcc/compare.ts',
    find: 'return satisfies(compare.operator, pair[compare.target] - compare.number);',
    replace: `const seen = compare.target === 'modRevision' ? pair.createRevision : pair[compare.target];
      return satisfies(compare.operator, seen - compare.number);`,
    story: 'A transaction compares with an older state than the one that it changes.',
    shownBy: ['concurrent requests'],
  },
  {
    name: 'leadership-lost-called-definite',
    file: 'src/node/proposals.ts',
    find: `this.#answerAll(overwritten, new RollcallError('leadershipLost', message));`,
    replace: `const refusal = new RollcallError('leadershipLost', message, { definite: true });
      this.#answerAll(overwritten, refusal);`,
    story:
      'A write whose place this node has given away counts as not done, though others hold it.',
    shownBy: ['leader change', 'partition'],
  },
  {
    name: 'granted-under-a-rounded-id',
    file: 'src/state-machine/command-codec.ts',
    find: `return { type: 'leaseGrant', leaseId: reader.id(), ttlMs: reader.varint() };`,
    replace: `const id = BigInt(Number.parseInt(reader.id(), 16)).toString(16).padStart(16, '0');
      return { type: 'leaseGrant', leaseId: id, ttlMs: reader.varint() };`,
    story: 'A lease is granted under another id than its client asked for.',
    shownBy: [],
  },
];
