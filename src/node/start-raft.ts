import type { Random } from '../base/prng.ts';
import { createRaft } from '../raft/raft.ts';
import type { NodeId, Raft } from '../raft/types.ts';
import type { Storage } from '../storage/types.ts';
import { type Bounds, timing } from './timing.ts';
import type { Trace } from './trace.ts';
import { tracedRaft } from './traced-raft.ts';

/** The core as the storage has kept it. */
export function startRaft(
  id: NodeId,
  random: Random,
  { hardState, start, entries }: Pick<Storage, 'hardState' | 'start' | 'entries'>,
  bounds: Bounds,
  trace: Trace | null,
): Raft {
  const options = {
    ...{ id, random },
    electionTicks: timing.electionTicks,
    heartbeatTicks: timing.heartbeatTicks,
    earlyCampaignTicks: timing.earlyCampaignTicks,
    entriesPerMessageMax: bounds.entriesPerMessageMax,
    bytesPerMessageMax: bounds.bytesPerMessageMax,
    inflightMessagesMax: bounds.inflightMessagesMax,
    inflightBytesMax: bounds.inflightBytesMax,
  };
  // On disk the commit index is a hint; what is applied was committed.
  const commitIndex = Math.max(hardState.commitIndex, start.last.index);
  const raft = createRaft(options, {
    hardState: { ...hardState, commitIndex },
    snapshot: start,
    entries,
    lastApplied: start.last.index,
  });
  return trace === null ? raft : tracedRaft(raft, trace);
}
