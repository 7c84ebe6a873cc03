/** Why nobody answers, in words: for error messages. */
import type { Connection } from './connection.ts';
import type { Topology } from './topology.ts';

/** Why there is nobody to ask. */
export function outage(connections: readonly Connection[], topology: Topology): string {
  const parts: string[] = [];
  for (const connection of connections) {
    const status = topology.status(connection.address);
    if (!connection.usable) parts.push(unreachableReason(connection));
    else if (topology.isSilent(connection.address)) {
      parts.push(`${connection.address} is silent`);
    } else if (status?.clusterId === '') {
      parts.push(`${connection.address} waits for its cluster to begin`);
    } else if (status?.standing === 'removed') {
      parts.push(`${connection.address} was removed from the cluster`);
    } else {
      const leader = status?.leaderName ?? status?.leaderId ?? null;
      parts.push(
        `${connection.address} ${leader === null ? 'knows no leader' : `names ${leader} as leader`}`,
      );
    }
  }
  return parts.join('; ');
}

/** The endpoint and why it cannot be used. */
export function unreachableReason(connection: Connection): string {
  const error = connection.error;
  if (error === null) return `${connection.address}: no answer yet`;
  return error.message.startsWith(connection.address)
    ? error.message
    : `${connection.address}: ${error.message}`;
}
