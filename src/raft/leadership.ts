import { Progress } from './progress.ts';
import { replicasOf } from './quorum.ts';
import { ReadIndex } from './read-index.ts';
import type { Configuration, Index, NodeId } from './types.ts';

/** What exists only while this member leads: a new one for each term that it wins. */
export class Leadership {
  /** The index of the no-op that opened the term: the commit index reaches it or says too little. */
  readonly firstIndex: Index;
  /** Every other member that gets the log. */
  readonly peers: ReadonlyMap<NodeId, Progress>;
  readonly reads = new ReadIndex();
  heartbeatElapsed = 0;
  /** Heartbeats leave with the next messages. */
  isHeartbeatDue = false;
  /** A tick has passed: followers that have not been told what is committed are told now. */
  isNewsDue = false;

  constructor(
    id: NodeId,
    configuration: Configuration,
    firstIndex: Index,
    inflightMessagesMax: number,
  ) {
    this.firstIndex = firstIndex;
    const peers = new Map<NodeId, Progress>();
    for (const peer of replicasOf(configuration)) {
      if (peer !== id) peers.set(peer, new Progress(firstIndex, inflightMessagesMax));
    }
    this.peers = peers;
  }
}
