import { RollcallError } from '../base/errors.ts';

/**
 * `storageFailed` with the details `{ reason: 'full' }` when there is no space left. What has caused
 * it becomes part of the message.
 */
export function diskError(operation: string, path: string, cause: unknown): RollcallError {
  const reason = cause instanceof Error ? `: ${cause.message}` : '';
  return new RollcallError('storageFailed', `Cannot ${operation} ${path}${reason}`, {
    cause,
    ...(isOutOfSpace(cause) ? { details: { reason: 'full' } } : {}),
  });
}

/** Whether the storage failed because the disk is full. */
export function isDiskFull(error: unknown): boolean {
  const { reason } = error instanceof RollcallError ? error.details : {};
  return reason === 'full';
}

function isOutOfSpace(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause) {
    if ('code' in at && (at.code === 'ENOSPC' || at.code === 'EDQUOT')) return true;
    // LevelDB has no code of its own for it: it passes on the words of the operating system.
    if (at.message.includes('No space left on device')) return true;
  }
  return false;
}
