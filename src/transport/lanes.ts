/** The sockets between two members: nothing small ever waits behind something big. */
import type { PeerMessage } from '../format/types.ts';

export const lanes = ['control', 'bulk', 'calls'] as const;
export type Lane = (typeof lanes)[number];

export function laneOf(type: PeerMessage['type']): Lane {
  switch (type) {
    case 'timeoutNow':
    case 'installSnapshot':
    case 'requestVote':
    case 'requestVoteResponse':
    case 'heartbeat':
    case 'heartbeatResponse':
      return 'control';
    case 'appendEntries':
    case 'snapshotChunk':
      return 'bulk';
    case 'appendEntriesResponse':
    case 'snapshotRequest':
    case 'snapshotRefusal':
    case 'snapshotNotice':
    case 'digestReport':
    case 'spaceReport':
      return 'calls';
  }
}
