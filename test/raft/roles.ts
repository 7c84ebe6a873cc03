/** `n1` among `n2`, `n3` …, brought into a role by the answers that it would get. */
import { Member, type Setup } from './member.ts';
import { ofType, vote } from './messages.ts';

export const voters = ['n1', 'n2', 'n3'];

/** `n1`, who has just started. */
export function follower(setup: Partial<Setup> = {}): Member {
  return new Member('n1', { voters, ...setup });
}

/** A member that has just won a pre-vote; its own vote is not yet written. */
export function candidate(setup: Partial<Setup> = {}): Member {
  const member = follower(setup);
  member.tick(2 * member.options.electionTicks);
  const { term } = ofType(member.settle(), 'requestVote')[0] ?? { term: 0 };
  for (const from of member.status.configuration.voters.slice(1)) {
    member.receive(vote({ from, to: 'n1', term }, true, true));
  }
  return member;
}

/** A member that has just won term 1, or the one after its log's; its no-op is not yet sent. */
export function leader(setup: Partial<Setup> = {}): Member {
  const member = candidate(setup);
  member.settle();
  const term = member.status.currentTerm;
  for (const from of member.status.configuration.voters.slice(1)) {
    member.receive(vote({ from, to: 'n1', term }, true));
  }
  return member;
}
