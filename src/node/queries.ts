/** Reads of the state as it is now: what the node asks for itself, and what clients ask for. */
import { RollcallError } from '../base/errors.ts';
import { formatHash } from '../base/hash.ts';
import { limits } from '../base/limits.ts';
import { Refusal } from '../base/refusal.ts';
import type { KeyRange, KeyValue, RangeRequest, Revision } from '../mvcc/types.ts';
import type { RegisteredInstance, ServiceName } from '../registry/types.ts';
import type { StateMachine } from '../state-machine/state-machine.ts';
import type { KeySpaceName, RevisionEvents } from '../state-machine/types.ts';
import type { Read } from './reads.ts';
import type { ReadRequest, ReadResult, Reply, Request } from './types.ts';
import type { WatchSource } from './watch-hub.ts';

/** A page of a range: with keys and framing it still fits into a server frame. */
const pageValueBytesMax = limits.serverFrameBytesMax - 256 * 1024;
const pagePairsMax = 4096;

const reads: ReadonlySet<Request['type']> = new Set<ReadRequest['type']>([
  'range',
  'leaseTimeToLive',
  'leaseList',
  'discover',
  'services',
]);

export function isRead(request: Request): request is ReadRequest {
  return reads.has(request.type);
}

export class Queries implements WatchSource {
  readonly #machine: StateMachine;
  /** Stored bytes turned out to be others than were written: the node must end. */
  readonly #onDamage: (error: unknown) => void;

  constructor(machine: StateMachine, onDamage: (error: unknown) => void) {
    this.#machine = machine;
    this.#onDamage = onDamage;
  }

  get revision(): Revision {
    return this.#machine.revision;
  }

  get digest(): string {
    return formatHash(this.#machine.digest);
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

  /** A client's read, to be run once it may be. */
  read(request: ReadRequest, reply: Reply): Read {
    return {
      run: () => {
        try {
          const result = this.#run(request);
          reply(result instanceof Refusal ? result.toError() : { revision: this.revision, result });
        } catch (error) {
          if (!(error instanceof RollcallError)) throw error;
          reply(error);
          if (error.code === 'dataDamaged') this.#onDamage(error);
        }
      },
      fail: reply,
    };
  }

  #run(request: ReadRequest): ReadResult | Refusal {
    switch (request.type) {
      case 'range':
        return this.#range(request);
      case 'leaseTimeToLive': {
        const { leaseId, keys } = request;
        const found = this.#machine.leaseTimeToLive(leaseId, keys);
        if (found === null) return new Refusal('leaseNotFound', `There is no lease ${leaseId}`);
        return { type: 'leaseTimeToLive', ...found };
      }
      case 'leaseList':
        return { type: 'leaseList', leases: this.#machine.leaseList() };
      case 'discover':
        return { type: 'discover', instances: this.instances(request) };
      case 'services':
        return { type: 'services', services: this.#machine.services(request.namespace) };
    }
  }

  /** One page: as much as a frame takes, whatever the limit. `more` tells that there is more. */
  #range(request: RangeRequest): ReadResult | Refusal {
    const limit = Math.min(request.limit || pagePairsMax, pagePairsMax);
    const result = this.#machine.range('kv', { ...request, limit }, pageValueBytesMax);
    return result instanceof Refusal ? result : { type: 'range', ...result };
  }
}
