/** Reads of the state as it is now: what the node asks for itself, and what clients ask for. */
import type { Clock } from '../base/clock.ts';
import { RollcallError } from '../base/errors.ts';
import { limits } from '../base/limits.ts';
import { Refusal } from '../base/refusal.ts';
import { leaseNotFound } from '../mvcc/operation.ts';
import type { KeyRange, KeyValue, Revision } from '../mvcc/types.ts';
import type { RegisteredInstance, ServiceName } from '../registry/types.ts';
import type { StateMachine } from '../state-machine/state-machine.ts';
import type { KeySpaceName, RevisionEvents } from '../state-machine/types.ts';
import type { Read } from './reads.ts';
import { stateMissingError } from './refusals.ts';
import { isOfState } from './state-guard.ts';
import type { MembershipReport, ReadRequest, ReadResult, Reply, Request } from './types.ts';
import type { WatchSource } from './watcher.ts';

/** A page of a range: as much as fits into a server frame. */
const pageBytesMax = limits.serverFrameBytesMax - 4096;
const pagePairsMax = 4096;
const leaseKeysMax = 4096;
const leasesMax = 10_000;

type LeaseQuestion = Extract<ReadRequest, { readonly type: 'leaseTimeToLive' }>;

const reads: ReadonlySet<Request['type']> = new Set<ReadRequest['type']>([
  'range',
  'leaseTimeToLive',
  'leaseList',
  'memberList',
  'discover',
  'services',
]);

export function isRead(request: Request): request is ReadRequest {
  return reads.has(request.type);
}

interface Answer {
  readonly revision: Revision;
  readonly result: ReadResult | Refusal;
}

export class Queries implements WatchSource {
  #machine: StateMachine;
  readonly #clock: Clock;
  /** Stored bytes turned out to be others than were written: this state must not be used any more. */
  readonly #onDamage: (error: unknown) => void;

  readonly #membership: () => MembershipReport;

  constructor(
    machine: StateMachine,
    clock: Clock,
    membership: () => MembershipReport,
    onDamage: (error: unknown) => void,
  ) {
    this.#machine = machine;
    this.#membership = membership;
    this.#clock = clock;
    this.#onDamage = onDamage;
  }

  /** The state is another one now. Reads that are under way are refused: what they read of is gone. */
  restore(machine: StateMachine): void {
    this.#machine = machine;
  }

  get revision(): Revision {
    return this.#machine.revision;
  }

  compactRevision(space: KeySpaceName): Revision {
    return this.#machine.compactRevision(space);
  }

  history(
    space: KeySpaceName,
    range: KeyRange,
    from: Revision,
    revisionsMax: number,
  ): { readonly revisions: readonly RevisionEvents[]; readonly next: Revision } {
    return this.#machine.history(space, range, from, revisionsMax);
  }

  before(space: KeySpaceName, key: string, revision: Revision): KeyValue | null {
    return this.#machine.before(space, key, revision);
  }

  instances(service: ServiceName): readonly RegisteredInstance[] {
    return this.#machine.discover(service);
  }

  /** A client's read, to be run once it may be. A long one gives the event loop back in between. */
  read(request: ReadRequest, reply: Reply): Read {
    const steps = this.#steps(request);
    let machine: StateMachine | null = null;
    const run = (): void => {
      machine ??= this.#machine;
      if (machine !== this.#machine) {
        reply(
          new RollcallError('behind', 'This node took over a newer state while it was reading'),
        );
        return;
      }
      try {
        const step = steps.next();
        if (step.done !== true) {
          this.#clock.soon(run);
          return;
        }
        const { revision, result } = step.value;
        reply(result instanceof Refusal ? result.toError() : { revision, result });
      } catch (error) {
        if (!(error instanceof RollcallError)) throw error;
        // Others have what is damaged here.
        reply(error.code === 'dataDamaged' ? stateMissingError() : error);
        if (isOfState(error)) this.#onDamage(error);
      }
    };
    return { run, fail: reply };
  }

  *#steps(request: ReadRequest): Generator<undefined, Answer> {
    for (;;) {
      // That of the moment in which the read begins: whatever comes after it is not in the answer.
      const { revision } = this;
      if (request.type !== 'range') return { revision, result: this.#run(request) };
      const limit = Math.min(request.limit || pagePairsMax, pagePairsMax);
      const page = { bytesMax: pageBytesMax, counted: request.counted };
      const result = yield* this.#machine.rangeSteps('kv', { ...request, limit }, page);
      if (!(result instanceof Refusal)) return { revision, result: { type: 'range', ...result } };
      // A compaction has passed what was the newest revision: there is a newer one to read.
      if (request.revision !== 0 || result.code !== 'compacted') return { revision, result };
    }
  }

  #run(request: Exclude<ReadRequest, { type: 'range' }>): ReadResult | Refusal {
    switch (request.type) {
      case 'leaseTimeToLive':
        return this.#leaseTimeToLive(request);
      case 'leaseList': {
        const limit = Math.min(request.limit || leasesMax, leasesMax);
        const leases = this.#machine.leaseList(limit + 1, afterOf(request.after));
        return { type: 'leaseList', leases: leases.slice(0, limit), more: leases.length > limit };
      }
      case 'memberList':
        return { type: 'memberList', ...this.#membership() };
      case 'discover':
        return { type: 'discover', instances: this.instances(request) };
      case 'services':
        return { type: 'services', services: this.#machine.services(request.namespace) };
    }
  }

  #leaseTimeToLive({ leaseId, keys, after }: LeaseQuestion): ReadResult | Refusal {
    const from = afterOf(after);
    const found = this.#machine.leaseTimeToLive(leaseId, keys ? leaseKeysMax + 1 : 0, from);
    if (found === null) return leaseNotFound(leaseId);
    const page = pageOf(found.keys);
    return { type: 'leaseTimeToLive', ...found, keys: page, more: found.keys.length > page.length };
  }
}

function pageOf(keys: readonly string[]): readonly string[] {
  let bytes = 0;
  for (const [at, key] of keys.entries()) {
    // On the wire a character takes two bytes at most.
    bytes += 2 * key.length + 8;
    if (at === leaseKeysMax || bytes > pageBytesMax) return keys.slice(0, at);
  }
  return keys;
}

/** The first key, or id, that comes behind another one. */
function afterOf(last: string | null): string {
  return last === null ? '' : `${last}\0`;
}
