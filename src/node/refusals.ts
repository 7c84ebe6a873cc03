/** Why a member serves nothing, at the moment or any more. */
import type { Clock } from '../base/clock.ts';
import { damagedState } from '../base/damage.ts';
import { RollcallError } from '../base/errors.ts';
import type { WatchHandle, WatchSink } from './types.ts';

export function refuseStream(
  clock: Clock,
  sink: Pick<WatchSink, 'end'>,
  refusal: RollcallError,
): WatchHandle {
  clock.soon(() => sink.end(refusal));
  return { resume() {}, cancel() {}, requestProgress() {} };
}

export function noLeaderError(): RollcallError {
  return new RollcallError('noLeader', 'This node has heard of no leader for a while');
}

export function closedError(): RollcallError {
  return new RollcallError('closed', 'The node is stopping');
}

/** For writes that were begun. */
export function closedInDoubtError(): RollcallError {
  return new RollcallError('closed', 'The node stopped before the write was decided', {
    definite: false,
  });
}

/** For what needs a feature level that the cluster has not reached. */
export function levelTooLowError(needed: number, level: number): RollcallError {
  return new RollcallError(
    'featureLevelTooLow',
    `It needs feature level ${needed} and the cluster is at ${level}, because not all of its members ` +
      'run a version of Rollcall that knows more',
    { details: { featureLevel: level } },
  );
}

export function removedError(): RollcallError {
  return new RollcallError('removed', 'This node was removed from its cluster');
}

export function removedInDoubtError(): RollcallError {
  const message = 'This node was removed from its cluster before it knew what became of the write';
  return new RollcallError('leadershipLost', message);
}

export function stateMissingError(): RollcallError {
  return new RollcallError('behind', 'This node lost its state and is fetching it from the others');
}

export function replayingError(): RollcallError {
  return new RollcallError('behind', 'This node is still applying the log that it began with');
}

export function wrongDigestError(index: number): RollcallError {
  return damagedState(
    `Most members have another digest than this node once entry ${index} is applied`,
  );
}
