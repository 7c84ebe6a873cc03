import type { Mutant } from './mutant.ts';

/** What the SDK believes, repeats and remembers. */
export const client: readonly Mutant[] = [
  {
    name: 'write-in-doubt-sent-again',
    file: 'src/client/resend.ts',
    find: 'return passingCodes.has(error.code) && (error.definite || repeatable);',
    replace: 'return passingCodes.has(error.code);',
    story: 'The client repeats a write, a compare-and-set too, that may have happened already.',
    shownBy: ['partition', 'lost messages'],
  },
  {
    name: 'transactions-repeatable',
    file: 'src/client/resend.ts',
    find: `if (method === 'txn') return onlyReads(parameters as Partial<WireTxn>);`,
    replace: `if (method === 'txn') return true;`,
    story: 'A transaction that writes counts as one that may be sent to another leader as well.',
    shownBy: ['partition', 'leader change'],
  },
  {
    name: 'request-ids-used-again',
    file: 'src/client/connection.ts',
    find: 'this.#lastId = this.#lastId === requestIdMax ? 1 : this.#lastId + 1;',
    replace: 'this.#lastId = this.#lastId >= 64 ? 1 : this.#lastId + 1;',
    story: 'The late answer to a request that was given up is taken for that to another one.',
    shownBy: ['lost messages', 'concurrent requests'],
  },
  {
    name: 'new-lease-trusted-from-its-answer',
    file: 'src/client/leases.ts',
    find: `const { leaseId, ttlMs } = await this.grant(options);
    return this.#keeper.keep(leaseId, ttlMs, sentAtMs);`,
    replace: `const { leaseId, ttlMs } = await this.grant(options);
    return this.#keeper.keep(leaseId, ttlMs, this.#router.clock.monotonic());`,
    story:
      'The client counts the time of a new lease from when it heard of it, not from its request.',
    shownBy: ['lost messages', 'partition'],
  },
  {
    name: 'renewal-trusted-from-its-answer',
    file: 'src/client/lease.ts',
    find: 'lease.renewed(sentAtMs, instances[index] ?? 0);',
    replace: 'lease.renewed(this.clock.monotonic(), instances[index] ?? 0);',
    story: 'The client counts the time of a renewal from its answer.',
    shownBy: ['lost messages', 'partition'],
  },
  {
    name: 'watch-resumed-one-too-late',
    file: 'src/client/watch-buffer.ts',
    find: 'return this.#position === null ? 0 : this.#position + 1;',
    replace: 'return this.#position === null ? 0 : this.#position + 2;',
    story: 'A watch that goes on at another node asks for one revision less than it should.',
    shownBy: ['restart'],
  },
  {
    name: 'seen-revision-not-sent',
    file: 'src/client/keys.ts',
    find: 'anywhere ? { serializable: true, minRevision: this.#router.revision }',
    replace: 'anywhere ? { serializable: true, minRevision: 0 }',
    story: 'A serializable read does not say how new a state its client has seen.',
    shownBy: ['partition'],
  },
];
