/**
 * What members have acknowledged to this one. A member that comes back with less than that on its disk
 * has been given an older copy of its data directory, or a disk that forgets; nothing in its directory
 * can tell it so, but whoever remembers its words can.
 *
 * Words and disk are compared by term and index. A member in the same term as its words has only
 * appended since, so its log has to reach as far; in a later one it may have cut its log for another
 * leader, and nothing can be said; in an earlier one it has forgotten a term that it had promised to
 * be in. So nobody is accused who has lost nothing.
 *
 * Kept in memory: who is started anew has forgotten what others said.
 */
import type { EntryId, PeerMessage } from '../format/types.ts';
import type { Hello } from './hello.ts';

interface Known {
  /** In which the member was last let in. What it says of its disk is of the beginning of its life. */
  life: string | null;
  /** The highest term, and the highest index in that term. */
  said: EntryId;
}

const nothing: EntryId = { term: 0, index: 0 };

export class Acknowledgements {
  readonly #known = new Map<string, Known>();

  heard(message: PeerMessage): void {
    const said = promiseIn(message);
    if (said === null) return;
    const known = this.#knownOf(message.from);
    if (isBefore(known.said, said)) known.said = said;
  }

  /** What the member has acknowledged and does not have any more; null when nothing is known to be lost. */
  lostBy({ memberId, clusterId, log }: Hello): EntryId | null {
    const known = this.#known.get(memberId);
    // It knows of no cluster, and has spoken as a member of this one.
    if (clusterId === null) return known === undefined || known.said.term === 0 ? null : known.said;
    if (log === null || log.life === known?.life) return null;
    return known !== undefined && isBefore(log, known.said) ? known.said : null;
  }

  /** The member was let in with this handshake. */
  admitted({ memberId, log }: Hello): void {
    if (log !== null) this.#knownOf(memberId).life = log.life;
  }

  /** Only these are members. */
  retain(ids: ReadonlySet<string>): void {
    for (const id of this.#known.keys()) if (!ids.has(id)) this.#known.delete(id);
  }

  #knownOf(id: string): Known {
    const found = this.#known.get(id);
    if (found !== undefined) return found;
    const known = { life: null, said: nothing };
    this.#known.set(id, known);
    return known;
  }
}

export function isBefore(one: EntryId, other: EntryId): boolean {
  return one.term < other.term || (one.term === other.term && one.index < other.index);
}

/** What has to be on the disk of a member before it says this; null when nothing has. */
function promiseIn(message: PeerMessage): EntryId | null {
  switch (message.type) {
    case 'appendEntriesResponse':
      return message.success ? { term: message.term, index: message.matchIndex } : null;
    case 'requestVoteResponse':
      return message.voteGranted && !message.preVote ? { term: message.term, index: 0 } : null;
    default:
      return null;
  }
}
