import type { MemberStatus } from '../../../src/node/types.ts';
import type { NodeId, Term } from '../../../src/raft/types.ts';
import type { ProbeName } from '../probes.ts';

/** Who has led which term, in the order in which it came to. */
export class Leaders {
  readonly #hit: (probe: ProbeName) => void;
  readonly #byTerm = new Map<Term, NodeId>();
  readonly #inOrder: NodeId[] = [];
  /** The terms whose leaders handed over because a change of the members left them out. */
  readonly #leftOut = new Set<Term>();

  constructor(hit: (probe: ProbeName) => void) {
    this.#hit = hit;
  }

  of(term: Term): NodeId | null {
    return this.#byTerm.get(term) ?? null;
  }

  /** How often somebody came to lead, but for those who took over from a leader that was taken out. */
  get disturbances(): number {
    return [...this.#byTerm.keys()].filter((term) => !this.#leftOut.has(term - 1)).length;
  }

  /** How often leadership came to another node than the one before. */
  get changes(): number {
    return this.#inOrder.filter((id, at) => at > 0 && id !== this.#inOrder[at - 1]).length;
  }

  /** What has become of a candidate or leader. */
  turned(before: MemberStatus, { role, term }: MemberStatus): void {
    const isOver = role !== 'leader' && role !== 'candidate';
    if (before.role === 'candidate' && isOver) this.#hit('electionLost');
    const steppedDown = before.role === 'leader' && role !== 'leader' && before.term === term;
    if (steppedDown) this.#hit('leaderSteppedDown');
  }

  /** The leader of this term hands over, as it belongs to the members no longer. */
  leaves(term: Term): void {
    this.#leftOut.add(term);
  }

  /** The first one of its term. */
  add(id: NodeId, term: Term): void {
    this.#byTerm.set(term, id);
    if (this.#inOrder.at(-1) !== id) {
      if (this.#inOrder.length > 0) this.#hit('leaderChanged');
      if (this.#inOrder.includes(id)) this.#hit('leaderReturned');
    }
    this.#inOrder.push(id);
  }
}
