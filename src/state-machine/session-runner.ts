import { isId } from '../base/bytes.ts';
import { limits } from '../base/limits.ts';
import { Refusal } from '../base/refusal.ts';
import { keptBytesMax, keptResultOf, outcomeOf } from './result-codec.ts';
import type { State } from './state.ts';
import type { Command, CommandResult, Outcome, SessionHeader, SessionId } from './types.ts';

/** The commands whose outcome a session keeps; all others may be repeated without harm. */
const written: ReadonlySet<Command['type']> = new Set<Command['type']>([
  'put',
  'delete',
  'txn',
  'leaseGrant',
  'leaseRevoke',
  'register',
  'deregister',
  'compact',
]);

/**
 * Exactly once: of all copies of a write that come under the same session and number, the first is
 * carried out and its outcome kept; the others get that outcome.
 *
 *     sequence ≤ acknowledgedThrough            refused: it may have been done, its outcome is gone
 *     kept                                      its first outcome
 *     > acknowledgedThrough + so many           refused before any effect; not kept
 *     no room for its outcome                   refused before any effect; kept as its outcome
 *     otherwise                                 carried out, and its outcome kept
 */
export class SessionRunner {
  readonly #state: State;

  constructor(state: State) {
    this.#state = state;
  }

  run(header: SessionHeader, command: Command, execute: () => Outcome): Outcome {
    const { sessionId, sequence } = header;
    const { sessions, sessionRecords, logTimeMs } = this.#state;
    const session = sessions.alive(sessionId, logTimeMs);
    if (session === null) return this.#refused(expired(sessionId));
    sessions.heard(sessionId, Math.min(header.acknowledgedThrough, sequence - 1), logTimeMs);
    sessionRecords.changed(sessionId);
    const kept = session.results.get(sequence);
    if (kept !== undefined) return outcomeOf(kept);
    const refusal = refusalOf(command, sequence, session.acknowledgedThrough);
    if (refusal !== null) return this.#refused(refusal);
    const outcome = decided(
      sessions.hasRoom(sessionId, keptBytesMax(command)) ? execute() : this.#refused(full()),
      sequence,
    );
    sessions.keep(sessionId, sequence, keptResultOf(outcome));
    return outcome;
  }

  open(sessionId: SessionId): CommandResult | Refusal {
    const { sessions, sessionRecords, logTimeMs } = this.#state;
    if (!isId(sessionId) || sessions.has(sessionId)) {
      return new Refusal('invalidArgument', `${sessionId} can be no new session`);
    }
    if (sessions.size >= limits.sessionsMax) {
      return new Refusal('tooManySessions', `There are ${sessions.size} sessions already`);
    }
    const ttlMs = limits.sessionTtlMs;
    sessions.add(sessionId, { deadlineMs: logTimeMs + ttlMs, acknowledgedThrough: 0 });
    sessionRecords.changed(sessionId);
    return { type: 'sessionOpen', sessionId, ttlMs };
  }

  renew(sessionId: SessionId, acknowledgedThrough: number): CommandResult | Refusal {
    const { sessions, sessionRecords, logTimeMs } = this.#state;
    if (sessions.alive(sessionId, logTimeMs) === null) return expired(sessionId);
    sessions.heard(sessionId, acknowledgedThrough, logTimeMs);
    sessionRecords.changed(sessionId);
    return { type: 'sessionRenew' };
  }

  close(sessionId: SessionId): CommandResult {
    const { sessions, sessionRecords } = this.#state;
    if (sessions.has(sessionId)) sessionRecords.remove(sessionId);
    return { type: 'sessionClose' };
  }

  #refused({ code, message, details }: Refusal): Outcome {
    return { ok: false, revision: this.#state.revision, code, message, details };
  }
}

function refusalOf(command: Command, sequence: number, acknowledged: number): Refusal | null {
  if (!written.has(command.type)) {
    return new Refusal('invalidArgument', `No session has commands of ${command.type}`);
  }
  if (sequence <= acknowledged) {
    return new Refusal('resultDropped', `Writes up to ${acknowledged} are acknowledged`);
  }
  if (sequence <= acknowledged + limits.sessionResultsMax) return null;
  return new Refusal('tooManyResults', `Write ${sequence} is too far from ${acknowledged}`);
}

/** Tells a refusal that is the outcome of the write from one of this copy alone. */
function decided(outcome: Outcome, sequence: number): Outcome {
  return outcome.ok ? outcome : { ...outcome, details: { ...outcome.details, sequence } };
}

function expired(sessionId: SessionId): Refusal {
  return new Refusal('sessionExpired', `Session ${sessionId} has ended or never was`);
}

function full(): Refusal {
  return new Refusal('tooManyResults', 'There is no room to keep the result');
}
