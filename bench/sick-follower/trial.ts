/** One sickness of a follower, beside the same follower when it is well. */
import { elapse } from '../progress.ts';
import type { Follower } from '../systems/follower.ts';
import { LeaderProcess } from '../systems/leader-process.ts';
import type { Measurement } from '../writers/writers.ts';
import type { WritersProcess } from '../writers/writers-process.ts';
import type { Sickness } from './sicknesses.ts';

export interface Trial {
  readonly well: Measurement;
  readonly sick: Measurement;
  /** The share of the time in which the leader waited for a processor. */
  readonly waitShare: { readonly well: number; readonly sick: number };
  /** Until the follower had caught up again. */
  readonly recoverySeconds: number;
  readonly leaderChanged: boolean;
}

/** The writers write before, meanwhile and afterwards. */
export async function trySickness(
  { strike }: Sickness,
  follower: Follower,
  writers: WritersProcess,
  measureMs: number,
): Promise<Trial> {
  const leader = new LeaderProcess(follower.leader.server.process.pid ?? 0);
  const timed = async () => {
    await writers.measure({ type: 'lap' });
    leader.lap();
    await elapse(measureMs);
    const { waitShare } = leader.lap();
    return { waitShare, measurement: await writers.measure({ type: 'lap' }) };
  };
  try {
    const well = await timed();
    const cure = strike(follower);
    const sick = await timed().finally(cure);
    const { seconds, leaderChanged } = await follower.catchUp(() => {});
    return {
      ...{
        well: well.measurement,
        sick: sick.measurement,
        recoverySeconds: seconds,
        leaderChanged,
      },
      waitShare: { well: well.waitShare, sick: sick.waitShare },
    };
  } finally {
    leader.end();
  }
}
