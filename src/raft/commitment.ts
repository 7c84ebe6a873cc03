import type { Core } from './core.ts';
import type { Leadership } from './leadership.ts';
import { quorumIndex } from './quorum.ts';

/**
 * Commits what a quorum has on disk. Counting copies commits entries of the own term only; those
 * before are committed along with them, never by a count of their own (Raft §5.4.2, Figure 8). The
 * leader counts itself like any other: by what its disk holds, which may be less than a follower's.
 */
export function maybeCommit(core: Core, leadership: Leadership): void {
  const index = quorumIndex(core.log.configuration, (id) =>
    id === core.id ? core.persistence.persistedIndex : (leadership.peers.get(id)?.matchIndex ?? 0),
  );
  if (index > core.commitIndex && core.log.termAt(index) === core.currentTerm) {
    core.commitTo(index);
  }
}
