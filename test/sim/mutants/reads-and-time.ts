import type { Mutant } from './mutant.ts';

/** Linearizable reads, sessions, and the time that leases live by. */
export const readsAndTime: readonly Mutant[] = [
  {
    name: 'read-without-a-quorum',
    file: 'src/raft/read-index.ts',
    find: 'if (!this.isUnderWay || round < this.#round) return [];',
    replace: 'if (!this.isUnderWay) return [];',
    story: 'A leader answers reads without asking whether it still leads.',
    shownBy: ['partition', 'leader change'],
  },
  {
    name: 'read-before-own-term-is-committed',
    file: 'src/raft/heartbeats.ts',
    find: 'const knowsCommitted = core.commitIndex >= leadership.firstIndex;',
    replace: 'const knowsCommitted = true;',
    story: 'A new leader answers reads from a commit index that its predecessor had left behind.',
    shownBy: ['leader change'],
  },
  {
    name: 'any-answer-confirms-a-read',
    file: 'src/raft/heartbeats.ts',
    find: 'progress.heartbeatAnswered(message.readRound, core.log.lastIndex);',
    replace: 'progress.heartbeatAnswered(leadership.reads.round, core.log.lastIndex);',
    story: 'An answer to a heartbeat that left before the read came in confirms it.',
    shownBy: ['stray messages', 'leader change'],
  },
  {
    name: 'read-joins-a-round-under-way',
    file: 'src/raft/read-index.ts',
    find: 'this.#gathering.push(id);',
    replace: '(this.isUnderWay ? this.#inRound : this.#gathering).push(id);',
    story: 'A read is answered at the index of a round that had begun before it came in.',
    shownBy: ['stray messages', 'leader change'],
  },
  {
    name: 'read-not-held-until-applied',
    file: 'src/node/reads.ts',
    find: 'if (next.index > applied) break;',
    replace: '',
    story: 'A confirmed read is answered before its index is applied.',
    shownBy: ['slow disk', 'concurrent requests'],
  },
  {
    name: 'session-goes-back',
    file: 'src/node/reads.ts',
    find: 'this.#behind.push({ minRevision, untilMs, read });',
    replace: 'this.#behind.push({ minRevision: 0, untilMs, read });',
    story: 'A serializable read is answered by a node that has not seen what the client has seen.',
    shownBy: ['partition'],
  },
  {
    name: 'lease-time-by-wall-clock',
    file: 'src/node/writes.ts',
    find: 'logTimeMs: stamp(nowMs),',
    replace: 'logTimeMs: Math.floor(clock.wall()),',
    story: 'Leases live by the wall clock of whoever leads.',
    shownBy: ['wrong clock', 'leader change'],
  },
  {
    name: 'pause-counts-against-leases',
    file: 'src/lease/log-time.ts',
    find: 'this.#timeMs += Math.min(elapsedMs, this.#stepMaxMs);',
    replace: 'this.#timeMs += elapsedMs;',
    story: 'Leases grow older while their leader stands still and nobody can renew.',
    shownBy: ['pause', 'partition'],
  },
  {
    name: 'new-leader-resumes-its-old-time',
    file: 'src/node/log-clock.ts',
    find: 'if (leads && !this.#runs) this.#time.restart(this.#newestMs, monotonicMs);',
    replace: '',
    story: 'A new leader goes on from its own old time, so that leases of the dead live on.',
    shownBy: ['leader change'],
  },
  {
    name: 'renewal-not-stored',
    file: 'src/state-machine/command-runner.ts',
    find: 'if (renewed.deadlineMs !== deadlineMs) {',
    replace: 'if (renewed.deadlineMs < deadlineMs) {',
    story: 'A renewal is in memory only: who restarts from its state has the old deadline.',
    shownBy: ['restart'],
  },
  {
    name: 'revoked-lease-not-stored',
    file: 'src/state-machine/command-runner.ts',
    find: 'this.#state.store.writeLease(leaseId, { ttlMs, deadlineMs, revoked }, ended);',
    replace: '',
    story: 'A revocation is not stored before the keys of the lease are deleted.',
    shownBy: ['restart'],
  },
  {
    name: 'attached-keys-forgotten-by-restart',
    file: 'src/state-machine/state.ts',
    find: 'if (leaseId !== null && this.lessor.has(leaseId)) this.lessor.attach(leaseId, number, key);',
    replace: '',
    story: 'A restart forgets which keys belong to a lease, so that they outlive it on that node.',
    shownBy: ['restart'],
  },
  {
    name: 'deadlines-do-not-move-the-clock',
    file: 'src/node/member.ts',
    find: 'return this.#machine.deadlinesPending && elapsedMs >= timing.clockEntryMs;',
    replace: 'return false;',
    story:
      'Nothing goes on with the time of the log, nor with what it has ended, until somebody writes.',
    shownBy: [],
  },
  {
    name: 'expiry-not-finished',
    file: 'src/state-machine/state-machine.ts',
    find: `if (lease === null) return;
      const cause`,
    replace: `if (lease === null || revisions.length > 0) return;
      const cause`,
    story: 'Of leases that end at once only the first loses its keys with an entry.',
    shownBy: [],
  },
  {
    name: 'lease-ids-rounded',
    file: 'src/state-machine/record-codec.ts',
    find: `const high = Number.parseInt(leaseId.slice(0, 8), 16);
  const low = Number.parseInt(leaseId.slice(8), 16);`,
    replace: `const id = Number.parseInt(leaseId, 16);
  const high = Math.floor(id / 2 ** 32);
  const low = id % 2 ** 32;`,
    story: 'The id of a lease goes through a number, which has 53 bits.',
    shownBy: ['restart'],
  },
  {
    name: 'time-before-leading-counts',
    file: 'src/lease/log-time.ts',
    find: `this.#timeMs = newestMs;
    this.#seenMs = monotonicMs;`,
    replace: 'this.#timeMs = newestMs;',
    story: 'A new leader lets leases grow older by the time in which nobody led.',
    shownBy: ['leader change', 'partition'],
  },
];
