/** From the trials to what is promised of them. */
import type { Trial } from './trial.ts';
import type { Way, WayName } from './ways.ts';

const stallMsMax = 200;
const growthMebibytesMax = 100;
/** Times that what was missed takes over the link when nothing else does. */
const linkTimesMax = 2;

/** Something promised, with what came of it as people read it. */
export interface Promised {
  readonly way: WayName;
  readonly what: string;
  readonly measured: string;
  readonly target: string;
  readonly met: boolean;
}

export function promisesOf(way: Way, trial: Trial): Promised[] {
  const { stallMs } = trial.during;
  const { ownMebibytes, ownMebibytesMax } = trial.leader.during;
  const growth = ownMebibytesMax - ownMebibytes;
  const promised = [
    {
      ...{ what: 'longest stall ms', measured: stallMs.toFixed(0), met: stallMs <= stallMsMax },
      target: `≤ ${stallMsMax}`,
    },
    {
      ...{ what: 'leader’s growth MiB', measured: growth.toFixed(0) },
      ...{ target: `≤ ${growthMebibytesMax}`, met: growth <= growthMebibytesMax },
    },
    {
      ...{ what: 'acknowledged puts lost', measured: String(trial.lost) },
      ...{ target: '0', met: trial.lost === 0 },
    },
    {
      ...{ what: 'equal digests', measured: trial.digestsEqual ? 'yes' : 'no' },
      ...{ target: 'yes', met: trial.digestsEqual },
    },
    {
      ...{ what: 'what it received', measured: trial.received },
      ...{ target: way.received, met: trial.received === way.received },
    },
  ];
  if (way.linkBytesPerSecond !== null) {
    const times = trial.seconds / (trial.missedBytes / way.linkBytesPerSecond);
    promised.push({
      ...{ what: 'times the plain transfer', measured: times.toFixed(2) },
      ...{ target: `≤ ${linkTimesMax}`, met: times <= linkTimesMax },
    });
  }
  return promised.map((one) => ({ way: way.name, ...one }));
}
