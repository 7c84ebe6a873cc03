/** The sockets between two members: nothing small ever waits behind something big. */
import type { Message } from '../format/types.ts';

export const lanes = ['control', 'bulk', 'calls'] as const;
export type Lane = (typeof lanes)[number];

export function laneOf(type: Message['type']): Lane {
  switch (type) {
    case 'requestVote':
    case 'requestVoteResponse':
    case 'heartbeat':
    case 'heartbeatResponse':
    case 'timeoutNow':
    case 'installSnapshot':
      return 'control';
    case 'appendEntries':
      return 'bulk';
    case 'appendEntriesResponse':
      return 'calls';
  }
}
