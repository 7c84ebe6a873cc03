/** From what a client asks to what the log carries. */
import { type Random, randomId } from '../base/prng.ts';
import type { Compare, Operation } from '../mvcc/types.ts';
import type { Command } from '../state-machine/types.ts';
import type { WriteRequest } from './types.ts';

/** The same, with everything decided that must be equal on all nodes. */
export function commandOf(request: WriteRequest, random: Random): Command {
  switch (request.type) {
    case 'leaseGrant':
      return { ...request, leaseId: request.leaseId ?? randomId(random) };
    case 'sessionOpen':
      return { ...request, sessionId: randomId(random) };
    case 'compact':
      return { ...request, space: 'kv' };
    default:
      return request;
  }
}

/** The header of a session included. */
const overheadBytes = 64;

/**
 * At least as many bytes as the command takes in an entry. The bounds on entries, and through them
 * on the frames between members, rest on this never being too small.
 */
export function commandBytes(command: Command): number {
  switch (command.type) {
    case 'put':
    case 'delete':
    case 'txn':
      return operationBytes(command);
    case 'leaseKeepAlive':
      return overheadBytes + 8 * command.leaseIds.length;
    case 'register':
      // As JSON every text is at least as long as its UTF-8 would be with a length before it, or
      // else three bytes for each of its characters.
      return overheadBytes + 3 * JSON.stringify(command).length;
    default:
      return 8 * overheadBytes;
  }
}

function operationBytes(operation: Operation): number {
  switch (operation.type) {
    case 'put':
      return overheadBytes + operation.key.length + operation.value.length;
    case 'delete':
    case 'range':
      return overheadBytes + operation.key.length + (operation.rangeEnd?.length ?? 0);
    case 'txn': {
      const operations = [...operation.success, ...operation.failure];
      return (
        overheadBytes +
        operation.compares.reduce((sum, compare) => sum + compareBytes(compare), 0) +
        operations.reduce((sum, nested) => sum + operationBytes(nested), 0)
      );
    }
  }
}

function compareBytes(compare: Compare): number {
  const value = compare.target === 'value' ? compare.value.length : 0;
  return overheadBytes + compare.key.length + (compare.rangeEnd?.length ?? 0) + value;
}
