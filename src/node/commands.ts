/** From what a client asks to what the log carries. */
import { type Random, randomId } from '../base/prng.ts';
import type { Command } from '../state-machine/types.ts';
import type { WriteRequest } from './types.ts';

/** The same, with everything decided that must be equal on all nodes. */
export function commandOf(request: WriteRequest, random: Random): Command {
  if (request.type !== 'leaseGrant') return request;
  return { ...request, leaseId: request.leaseId ?? randomId(random) };
}

const overheadBytes = 64;

/** About how many bytes the command takes in an entry, for bounds. */
export function commandBytes(command: Command): number {
  switch (command.type) {
    case 'put':
      return overheadBytes + command.key.length + command.value.length;
    case 'txn':
      return [...command.success, ...command.failure].reduce(
        (sum, operation) => sum + (operation.type === 'range' ? 0 : commandBytes(operation)),
        overheadBytes + command.compares.reduce((sum, { key }) => sum + key.length + 16, 0),
      );
    case 'leaseKeepAlive':
      return overheadBytes + 8 * command.leaseIds.length;
    case 'register':
      return overheadBytes + JSON.stringify(command.instance).length;
    default:
      return 2 * overheadBytes;
  }
}
