/**
 * Changes of the configuration between the operator who asked and their end:
 *
 *     begin ──▶ asked ──accepted──▶ logged ──its entry is applied──▶ decided ──a configuration that
 *                 │                   │                                       is not joint──▶ reply
 *                 └─ refused          └─ another entry took its place: it did not happen
 *
 * The log decides, not the leadership: a leader that removes itself leads no longer when it answers. What
 * the leader changes by itself has no reply and needs no place here.
 */
import { RollcallError } from '../base/errors.ts';
import type {
  Accepted,
  Configuration,
  EntryId,
  Index,
  NodeId,
  Refused,
  RequestId,
} from '../raft/types.ts';
import type { MembershipReport, Reply } from './types.ts';

interface Waiting {
  readonly reply: Reply;
  readonly sinceMs: number;
  /** Null until it is in the log. */
  readonly entry: EntryId | null;
  /** Its entry was applied. */
  readonly isDecided: boolean;
}

export class ConfigurationChanges {
  readonly #timeoutMs: number;
  readonly #waiting = new Map<RequestId, Waiting>();

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  begin(id: RequestId, reply: Reply, nowMs: number): void {
    this.#waiting.set(id, { reply, sinceMs: nowMs, entry: null, isDecided: false });
  }

  accepted({ id, entry }: Accepted): void {
    const waiting = this.#waiting.get(id);
    if (waiting !== undefined) this.#waiting.set(id, { ...waiting, entry });
  }

  refused({ id, reason, member }: Refused, nameOf: (id: NodeId) => string): void {
    this.#end(id, refusalError(reason, member === null ? null : nameOf(member)));
  }

  dropped(id: RequestId, error: RollcallError): void {
    this.#end(id, error);
  }

  /** An entry with a configuration was applied. */
  applied(
    { term, index }: EntryId,
    configuration: Configuration,
    answer: () => { readonly revision: number; readonly report: MembershipReport },
  ): void {
    for (const [id, waiting] of [...this.#waiting]) {
      const { entry, isDecided } = waiting;
      if (entry === null || entry.index > index) continue;
      if (!isDecided && (entry.index !== index || entry.term !== term)) {
        const message = 'Another leader took over before it was decided';
        this.#end(id, new RollcallError('leadershipLost', message, { definite: true }));
      } else if (configuration.votersOutgoing.length > 0) {
        this.#waiting.set(id, { ...waiting, isDecided: true });
      } else {
        const { revision, report } = answer();
        this.#waiting.delete(id);
        waiting.reply({ revision, result: { type: 'memberChange', ...report } });
      }
    }
  }

  /**
   * A received state took the place of the log up to `index`: what became of the changes in there is no
   * longer to be seen.
   */
  restored(index: Index): void {
    for (const [id, { entry }] of [...this.#waiting]) {
      if (entry === null || entry.index > index) continue;
      const message = 'The node received a newer state before it knew what was decided';
      this.#end(id, new RollcallError('leadershipLost', message));
    }
  }

  expire(nowMs: number): void {
    for (const [id, { sinceMs }] of [...this.#waiting]) {
      if (nowMs - sinceMs < this.#timeoutMs) continue;
      this.#end(id, new RollcallError('timeout', 'No majority has confirmed the change in time'));
    }
  }

  close(error: RollcallError): void {
    for (const id of [...this.#waiting.keys()]) this.#end(id, error);
  }

  #end(id: RequestId, error: RollcallError): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    waiting?.reply(error);
  }
}

const reasons: Readonly<Record<Refused['reason'], string>> = {
  notLeader: 'This node does not lead',
  notReady: 'The leader is new and does not know yet what the cluster agreed on; try again',
  changePending: 'Another change is under way; try again once it is done',
  transferring: 'Leadership is being handed over; try again',
  unknownMember: 'There is no such member',
  duplicateId: 'There is a member with this id already',
  duplicateName: 'There is a member with this name already',
  duplicateAddress: 'Another member has this address',
  wrongRole: 'It is not what the change needs: only learners are promoted, only voters demoted',
  notCaughtUp: 'It has not caught up with the log yet; try again later',
  losesQuorum: 'Too few of the voters that would remain can be reached: the cluster would stop',
  noVoters: 'No voter would remain',
  noChange: 'There is nothing to change',
};

function refusalError(reason: Refused['reason'], member: string | null): RollcallError {
  const about = member === null ? '' : ` ("${member}")`;
  if (reason === 'notLeader') return new RollcallError('notLeader', reasons.notLeader);
  return new RollcallError('membershipRefused', `${reasons[reason]}${about}`, {
    details: { reason },
  });
}
