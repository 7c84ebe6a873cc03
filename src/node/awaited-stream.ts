import type { RollcallError } from '../base/errors.ts';
import type { Revision } from '../mvcc/types.ts';
import type { Reads } from './reads.ts';
import type { WatchHandle } from './types.ts';

/**
 * A stream that begins once this node has seen the revision, as a serializable read would be answered; it
 * fails with `behind` where that takes too long.
 */
export function awaitRevision(
  reads: Reads,
  minRevision: Revision,
  begin: () => WatchHandle,
  fail: (error: RollcallError) => void,
): WatchHandle {
  let stream: WatchHandle | null = null;
  let isCancelled = false;
  let owesProgress = false;
  reads.addSerializable(minRevision, {
    run: () => {
      if (isCancelled) return;
      stream = begin();
      if (owesProgress) stream.requestProgress();
    },
    fail: (error) => {
      if (!isCancelled) fail(error);
    },
  });
  return {
    resume: () => stream?.resume(),
    cancel: () => {
      isCancelled = true;
      stream?.cancel();
    },
    requestProgress: () => {
      owesProgress = true;
      stream?.requestProgress();
    },
  };
}
