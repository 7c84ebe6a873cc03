/**
 * Lease renewals, gathered for some 20 ms into one command: 100,000 leases cost a few entries a
 * second, not 100,000 commands.
 */
import type { Clock, Timer } from '../base/clock.ts';
import { RollcallError } from '../base/errors.ts';
import type { LeaseId } from '../mvcc/types.ts';
import type { Reply, Response } from './types.ts';

interface Waiting {
  readonly leaseIds: readonly LeaseId[];
  readonly reply: Reply;
}

const leasesToFlushAt = 8192;

export class Renewals {
  readonly #clock: Clock;
  readonly #gatherMs: number;
  readonly #renew: (leaseIds: readonly LeaseId[], reply: Reply) => void;
  #waiting: Waiting[] = [];
  #leases = 0;
  #timer: Timer | null = null;

  constructor(
    clock: Clock,
    gatherMs: number,
    renew: (leaseIds: readonly LeaseId[], reply: Reply) => void,
  ) {
    this.#clock = clock;
    this.#gatherMs = gatherMs;
    this.#renew = renew;
  }

  add(leaseIds: readonly LeaseId[], reply: Reply): void {
    this.#waiting.push({ leaseIds, reply });
    this.#leases += leaseIds.length;
    if (this.#leases >= leasesToFlushAt) this.flush();
    else this.#timer ??= this.#clock.after(this.#gatherMs, () => this.flush());
  }

  flush(): void {
    this.#timer?.cancel();
    this.#timer = null;
    const waiting = this.#waiting;
    if (waiting.length === 0) return;
    this.#waiting = [];
    this.#leases = 0;
    this.#renew(
      waiting.flatMap((one) => one.leaseIds),
      (outcome) => split(waiting, outcome),
    );
  }
}

function split(waiting: readonly Waiting[], outcome: Response | RollcallError): void {
  let from = 0;
  for (const { leaseIds, reply } of waiting) {
    const to = from + leaseIds.length;
    reply(part(outcome, from, to));
    from = to;
  }
}

function part(
  outcome: Response | RollcallError,
  from: number,
  to: number,
): Response | RollcallError {
  if (outcome instanceof RollcallError || outcome.result.type !== 'leaseKeepAlive') return outcome;
  const ttlsMs = outcome.result.ttlsMs.slice(from, to);
  const instances = outcome.result.instances.slice(from, to);
  return { revision: outcome.revision, result: { type: 'leaseKeepAlive', ttlsMs, instances } };
}
