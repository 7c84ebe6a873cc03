/** From what was measured to what is promised of it. */
import type { MillionSettings } from './settings.ts';
import type { Rates } from './trial.ts';

export interface Measured {
  readonly empty: Rates;
  readonly full: Rates;
  readonly fillSeconds: number;
  readonly residentMebibytes: number;
  readonly startSeconds: number;
  readonly startedMebibytes: number;
  /** After each round, the removal of what was compacted included. */
  readonly diskMebibytes: readonly number[];
}

export interface Promised {
  readonly what: string;
  readonly measured: string;
  readonly target: string;
  readonly met: boolean;
}

const residentMebibytesMax = 1024;
const startSecondsMax = 15;
const rateShareMin = 0.8;
const diskTimesMax = 2;
const diskMebibytesMore = 256;
const keyBytes = 17;
/** Of the records of a version, besides its key and value. */
const recordBytes = 64;

export function promisesOf(measured: Measured, settings: MillionSettings): Promised[] {
  const { empty, full, residentMebibytes, startedMebibytes, startSeconds } = measured;
  const memory = Math.max(residentMebibytes, startedMebibytes);
  const live = (settings.keys * (settings.valueBytes + keyBytes + recordBytes)) / (1024 * 1024);
  const diskMax = diskTimesMax * live + diskMebibytesMore;
  const disk = measured.diskMebibytes.at(-1) ?? 0;
  const shares = [
    { what: 'puts, of the empty store', share: full.puts / empty.puts },
    { what: 'gets, of the empty store', share: full.gets / empty.gets },
  ];
  return [
    {
      what: 'resident memory, MiB',
      ...{ measured: memory.toFixed(0), target: `≤ ${residentMebibytesMax}` },
      met: memory <= residentMebibytesMax,
    },
    {
      what: 'cold start, s',
      ...{ measured: startSeconds.toFixed(1), target: `≤ ${startSecondsMax}` },
      met: startSeconds <= startSecondsMax,
    },
    ...shares.map(({ what, share }) => ({
      ...{ what, measured: `${(share * 100).toFixed(0)} %`, target: `≥ ${rateShareMin * 100} %` },
      met: share >= rateShareMin,
    })),
    {
      what: `data directory after ${measured.diskMebibytes.length} rounds, MiB`,
      ...{ measured: disk.toFixed(0), target: `≤ ${diskMax.toFixed(0)}` },
      met: disk <= diskMax,
    },
  ];
}
