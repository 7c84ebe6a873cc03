/**
 * What concerns the cluster as such and not its data: who belongs to it, and who leads. Takes the
 * operators' requests, and makes the changes that the leader makes by itself.
 */
import type { Clock } from '../base/clock.ts';
import { RollcallError } from '../base/errors.ts';
import type {
  Accepted,
  Configuration,
  EntryId,
  Index,
  Input,
  MemberChange,
  NodeId,
  Refused,
  RequestId,
  Status,
} from '../raft/types.ts';
import { ConfigurationChanges } from './configuration-changes.ts';
import { Handover } from './handover.ts';
import { Membership, type MembershipOptions } from './membership.ts';
import type { Applicant, MembershipReport, MembershipRequest, Reply, Request } from './types.ts';

const requests: ReadonlySet<Request['type']> = new Set<MembershipRequest['type']>([
  'memberAdd',
  'memberReplace',
  'memberPromote',
  'memberRemove',
  'transferLeadership',
]);

export function isMembershipRequest(request: Request): request is MembershipRequest {
  return requests.has(request.type);
}

export interface GovernanceOptions extends MembershipOptions {
  readonly clock: Clock;
  readonly status: () => Status;
  readonly step: (input: Input) => void;
  /** A name for a proposal to the core; never used twice. */
  readonly nextId: () => RequestId;
  readonly revision: () => number;
  /** The refusal of what only the leader can do. */
  readonly notLeader: () => RollcallError;
  /** Nobody has led for longer than an election takes. */
  readonly isLeaderless: () => boolean;
  readonly timeoutMs: number;
}

export class Governance {
  readonly #options: GovernanceOptions;
  readonly #membership: Membership;
  readonly #changes: ConfigurationChanges;
  readonly #handover = new Handover();
  /** What the leader changes by itself, on its way into the log. */
  #own: { readonly id: RequestId; readonly changes: readonly MemberChange[] } | null = null;

  constructor(options: GovernanceOptions) {
    this.#options = options;
    this.#membership = new Membership(options);
    this.#changes = new ConfigurationChanges(options.timeoutMs);
  }

  knock(applicant: Applicant): void {
    this.#membership.knock(applicant, this.#nowMs);
  }

  greeted(member: Applicant): void {
    this.#membership.greeted(member);
  }

  submit(request: MembershipRequest, reply: Reply): void {
    const status = this.#options.status();
    if (status.role !== 'leader') {
      this.#later(reply, this.#options.notLeader());
    } else if (request.type === 'transferLeadership') {
      this.#transfer(request.to, status, reply);
    } else {
      const changes = this.#membership.changesOf(request, status);
      if (changes instanceof RollcallError) {
        this.#later(reply, changes);
        return;
      }
      const id = this.#options.nextId();
      this.#changes.begin(id, reply, this.#nowMs);
      this.#options.step({ type: 'changeConfiguration', id, changes });
    }
  }

  report(): MembershipReport {
    return this.#membership.report(this.#options.status());
  }

  accepted(accepted: Accepted): void {
    this.#changes.accepted(accepted);
    if (accepted.id === this.#own?.id) this.#own = null;
  }

  refused(refused: Refused): void {
    if (refused.id === this.#own?.id) {
      this.#membership.refused(this.#own.changes, this.#nowMs);
      this.#own = null;
    } else if (refused.reason === 'notLeader') {
      this.#changes.dropped(refused.id, this.#options.notLeader());
    } else {
      this.#changes.refused(refused, this.#nameOf);
    }
  }

  /** An entry with a configuration was applied. */
  applied(entry: EntryId, configuration: Configuration): void {
    this.#membership.admitted(configuration);
    this.#changes.applied(entry, configuration, () => ({
      revision: this.#options.revision(),
      report: this.report(),
    }));
  }

  /** A received state, with this configuration, took the place of the log up to `index`. */
  restored(index: Index, configuration: Configuration): void {
    this.#changes.restored(index);
    this.#membership.restored(configuration);
  }

  /** Role or leader changed. */
  led(leaderId: NodeId | null): void {
    if (leaderId === null) return;
    this.#handover.led(leaderId, this.#options.status().id, this.#options.revision(), this.#nameOf);
  }

  /** To be called now and then. */
  sweep(): void {
    const status = this.#options.status();
    this.#changes.expire(this.#nowMs);
    const leadsOn = status.role === 'leader' && status.transferee === null;
    this.#handover.expire(leadsOn || this.#options.isLeaderless());
    const changes = this.#membership.next(status, this.#nowMs);
    if (changes === null || this.#own !== null) return;
    const id = this.#options.nextId();
    this.#own = { id, changes };
    this.#options.step({ type: 'changeConfiguration', id, changes });
  }

  /** A leader that goes gives its place to another voter first, so that nobody has to notice its absence. */
  handOver(): Promise<void> {
    return new Promise((resolve) => {
      this.submit({ type: 'transferLeadership', to: null }, () => resolve());
    });
  }

  close(error: RollcallError): void {
    this.#changes.close(error);
    this.#handover.close(error);
  }

  #transfer(to: string | null, status: Status, reply: Reply): void {
    const { members, voters } = status.configuration;
    const target = members.find(({ id, name }) => id === to || name === to);
    const others = voters.filter((id) => id !== status.id);
    const isVoter = target !== undefined && voters.includes(target.id);
    if (to === null ? others.length === 0 : !isVoter) {
      const message =
        to === null ? 'No other voter could lead' : `The cluster has no voter called "${to}"`;
      this.#later(reply, new RollcallError('memberNotFound', message));
      return;
    }
    const targetId = target?.id ?? null;
    if (target?.id === status.id) {
      const result = { leaderId: target.id, leaderName: target.name };
      this.#later(reply, {
        revision: this.#options.revision(),
        result: { type: 'transferLeadership', ...result },
      });
      return;
    }
    this.#handover.begin(targetId, reply);
    this.#options.step({ type: 'transferLeadership', to: targetId });
  }

  #later(reply: Reply, outcome: Parameters<Reply>[0]): void {
    this.#options.clock.soon(() => reply(outcome));
  }

  get #nowMs(): number {
    return this.#options.clock.monotonic();
  }

  readonly #nameOf = (id: NodeId): string => {
    const { members } = this.#options.status().configuration;
    return members.find((member) => member.id === id)?.name ?? id;
  };
}
