import { unreachable } from '../base/assert.ts';
import { isId } from '../base/bytes.ts';
import { limits } from '../base/limits.ts';
import { Refusal } from '../base/refusal.ts';
import type { KeySpace } from '../mvcc/key-space.ts';
import {
  futureRevision,
  leaseNotFound,
  type OperationContext,
  runOperation,
} from '../mvcc/operation.ts';
import { compacted } from '../mvcc/range.ts';
import type { LeaseId, Revision } from '../mvcc/types.ts';
import { deregister, register } from '../registry/registration.ts';
import { SessionRunner } from './session-runner.ts';
import { numberOf, type State } from './state.ts';
import type { Command, CommandResult, LoggedCommand, Outcome, RevisionEvents } from './types.ts';

const kv = 0;
const registry = 1;
const noLeaseId = '0000000000000000';

/** Carries out the commands of entries, each of them wholly or not at all. */
export class CommandRunner {
  readonly #state: State;
  readonly #context: OperationContext;
  readonly #sessions: SessionRunner;

  constructor(state: State) {
    this.#state = state;
    this.#sessions = new SessionRunner(state);
    this.#context = {
      get revision() {
        return state.revision;
      },
      get compactRevision() {
        return (state.spaces[kv] as KeySpace).compactRevision;
      },
      isLeaseAlive: (leaseId) => state.lessor.alive(leaseId, state.logTimeMs) !== null,
    };
  }

  run({ session, command }: LoggedCommand, events: RevisionEvents[]): Outcome {
    if (session === null) return this.#execute(command, events);
    return this.#sessions.run(session, command, () => this.#execute(command, events));
  }

  #execute(command: Command, events: RevisionEvents[]): Outcome {
    const result = this.#run(command, events);
    const { revision } = this.#state;
    if (!(result instanceof Refusal)) return { ok: true, revision, result };
    const { code, message, details } = result;
    return { ok: false, revision, code, message, details };
  }

  #run(command: Command, events: RevisionEvents[]): CommandResult | Refusal {
    switch (command.type) {
      case 'put':
      case 'delete':
      case 'txn':
        return this.#change(kv, events, (space) => runOperation(space, command, this.#context));
      case 'leaseGrant':
        return this.#grant(command.leaseId, command.ttlMs);
      case 'leaseRevoke':
        return this.#revoke(command.leaseId, events);
      case 'leaseKeepAlive':
        return this.#keepAlive(command.leaseIds);
      case 'register':
        return this.#register(command, events);
      case 'deregister':
        return this.#change(
          registry,
          events,
          (space) => deregister(space, command, command) ?? { type: 'deregister' },
        );
      case 'sessionOpen':
        return this.#sessions.open(command.sessionId);
      case 'sessionRenew':
        return this.#sessions.renew(command.sessionId, command.acknowledgedThrough);
      case 'sessionClose':
        return this.#sessions.close(command.sessionId);
      case 'compact':
        return this.#compact(numberOf(command.space), command.revision);
      case 'beginIncarnation':
        this.#state.skipRevisions();
        return { type: 'beginIncarnation' };
      case 'raiseFeatureLevel':
        this.#state.raiseFeatureLevel(command.level);
        return { type: 'raiseFeatureLevel' };
      default:
        return unreachable(command);
    }
  }

  /** Changes one space in a draft, which counts only when the command was not refused. */
  #change(
    space: number,
    events: RevisionEvents[],
    run: (space: KeySpace) => CommandResult | Refusal,
  ): CommandResult | Refusal {
    const draft = this.#state.begin(space);
    const result = run(draft);
    if (result instanceof Refusal) draft.rollback();
    else this.#state.commit(events);
    return result;
  }

  #register(
    command: Extract<Command, { readonly type: 'register' }>,
    events: RevisionEvents[],
  ): CommandResult | Refusal {
    const { instance, leaseId, replace } = command;
    const { isLeaseAlive } = this.#context;
    if (leaseId !== null && !isLeaseAlive(leaseId)) return leaseNotFound(leaseId);
    return this.#change(registry, events, (space) => {
      const mayReplace = replace ? () => true : mayRestore(leaseId, isLeaseAlive);
      const outcome = register(space, command, instance, { leaseId, mayReplace });
      return outcome instanceof Refusal ? outcome : { type: 'register', ...outcome };
    });
  }

  #compact(space: number, revision: Revision): CommandResult | Refusal {
    const state = this.#state;
    const { compactRevision } = state.spaces[space] as KeySpace;
    if (revision > state.revision) return futureRevision(revision, state.revision);
    if (revision <= compactRevision) return compacted(compactRevision);
    state.compact(space, revision);
    return { type: 'compact' };
  }

  #grant(leaseId: LeaseId, ttlMs: number): CommandResult | Refusal {
    if (!isId(leaseId) || leaseId === noLeaseId) {
      return new Refusal('invalidArgument', `leaseId must be 16 hexadecimal digits, not all 0`);
    }
    if (ttlMs < limits.leaseTtlMsMin || ttlMs > limits.leaseTtlMsMax) {
      return new Refusal(
        'invalidArgument',
        `ttlMs must be from ${limits.leaseTtlMsMin} to ${limits.leaseTtlMsMax}`,
      );
    }
    const { lessor, logTimeMs } = this.#state;
    if (lessor.has(leaseId)) {
      const why = lessor.alive(leaseId, logTimeMs) ? 'exists' : 'has ended, its keys are not gone';
      return new Refusal('leaseExists', `Lease ${leaseId} ${why}`);
    }
    const lease = lessor.add(leaseId, { ttlMs, deadlineMs: logTimeMs + ttlMs, revoked: false });
    this.#state.store.writeLease(leaseId, null, lease);
    return { type: 'leaseGrant', leaseId, ttlMs };
  }

  #revoke(leaseId: LeaseId, events: RevisionEvents[]): CommandResult | Refusal {
    const { lessor, logTimeMs } = this.#state;
    const lease = lessor.alive(leaseId, logTimeMs);
    if (lease === null) return leaseNotFound(leaseId);
    const { ttlMs, deadlineMs, revoked } = lease;
    const ended = lessor.revoke(leaseId, logTimeMs);
    this.#state.store.writeLease(leaseId, { ttlMs, deadlineMs, revoked }, ended);
    this.#state.endLease(ended, limits.endedKeysMax, 'leaseRevoked', events);
    return { type: 'leaseRevoke' };
  }

  #keepAlive(leaseIds: readonly LeaseId[]): CommandResult {
    const { lessor } = this.#state;
    return {
      type: 'leaseKeepAlive',
      ttlsMs: leaseIds.map((id) => this.#renew(id)),
      instances: leaseIds.map((id) => lessor.keyCount(id, registry)),
    };
  }

  /** The TTL that the lease has again; 0 when there is none. */
  #renew(leaseId: LeaseId): number {
    const { lessor, logTimeMs } = this.#state;
    const lease = lessor.alive(leaseId, logTimeMs);
    if (lease === null) return 0;
    const { ttlMs, deadlineMs, revoked } = lease;
    const renewed = lessor.renew(leaseId, logTimeMs);
    if (renewed.deadlineMs !== deadlineMs) {
      this.#state.store.writeLease(leaseId, { ttlMs, deadlineMs, revoked }, renewed);
    }
    return ttlMs;
  }
}

/** Whose instance one that comes back may take the place of: its own, and of those whose lease has ended. */
function mayRestore(own: LeaseId | null, isLeaseAlive: (leaseId: LeaseId) => boolean) {
  return (owner: LeaseId | null): boolean =>
    owner === own || (owner !== null && !isLeaseAlive(owner));
}
