/** What members say to each other, held against what they have promised and what is on their disks. */
import type { HardState, Index, Message, NodeId, Term } from '../../../src/raft/types.ts';
import type { ProbeName } from '../probes.ts';

/** The one who speaks, at that moment. */
export interface Speaker {
  readonly hardState: HardState;
  readonly durableLast: Index;
  /** It leads the term of the message. */
  readonly leads: boolean;
  /** Whether it is one of those who vote, as far as it can know. */
  readonly votes: () => boolean;
  /** Whether its entry there is another one than that of the leader whom it tells. */
  readonly differs: (index: Index) => boolean;
  readonly isWiped: boolean;
  readonly removedSinceMs: number | null;
}

export interface WordsOptions {
  readonly now: () => number;
  readonly hit: (probe: ProbeName) => void;
}

/** Who was about to campaign when it heard that it was removed may still be at it for so long. */
const lastCampaignMs = 1000;

export class Words {
  readonly #options: WordsOptions;
  /** Whom each member has voted for in each term, as far as anybody was told; outlives restarts. */
  readonly #votes = new Map<string, NodeId>();

  constructor(options: WordsOptions) {
    this.#options = options;
  }

  /** Whom it has told its vote, or asked for others' for itself. */
  voteOf(voter: NodeId, term: Term): NodeId | null {
    return this.#votes.get(`${voter} ${term}`) ?? null;
  }

  /** What is wrong with the message, or null. */
  sent(message: Message, speaker: Speaker): string | null {
    const { from, to, term } = message;
    if (speaker.isWiped) return `sends a ${message.type}, after its disk was lost`;
    switch (message.type) {
      case 'requestVote':
        return (
          this.#campaigns(term, speaker) ??
          (message.preVote ? null : this.#voted(from, from, term, speaker))
        );
      case 'requestVoteResponse':
        if (message.voteGranted && !message.preVote) return this.#voted(from, to, term, speaker);
        if (!message.voteGranted)
          this.#options.hit(message.preVote ? 'preVoteRefused' : 'voteRefused');
        return null;
      case 'appendEntries':
      case 'heartbeat':
        return speaker.leads
          ? null
          : `sends a ${message.type} of term ${term}, which it does not lead`;
      case 'appendEntriesResponse':
        if (message.success) return acknowledged(term, message.matchIndex, speaker);
        this.#options.hit('appendRejected');
        return null;
      default:
        return null;
    }
  }

  #campaigns(term: Term, { removedSinceMs, votes }: Speaker): string | null {
    if (!votes()) return `asks for votes in term ${term}, though it has none`;
    if (removedSinceMs === null || this.#options.now() - removedSinceMs < lastCampaignMs)
      return null;
    return `asks for votes in term ${term}, though it knows that it was removed`;
  }

  #voted(voter: NodeId, candidate: NodeId, term: Term, { hardState }: Speaker): string | null {
    const name = `${voter} ${term}`;
    const known = this.#votes.get(name);
    if (known !== undefined && known !== candidate)
      return `votes for two candidates in term ${term}`;
    this.#votes.set(name, candidate);
    const { currentTerm, votedFor } = hardState;
    if (currentTerm > term || (currentTerm === term && votedFor === candidate)) return null;
    return `tells its vote of term ${term} while its disk says term ${currentTerm} and ${votedFor}`;
  }
}

function acknowledged(
  term: Term,
  index: Index,
  { hardState, durableLast, differs }: Speaker,
): string | null {
  if (index > durableLast) return `acknowledges ${index}, with ${durableLast} on its disk`;
  if (differs(index)) return `acknowledges ${index}, which its leader has not`;
  // A crash would take it back to a term in which it may let another leader cut what it holds.
  if (hardState.currentTerm >= term) return null;
  return `acknowledges ${index} in term ${term} while its disk says term ${hardState.currentTerm}`;
}
