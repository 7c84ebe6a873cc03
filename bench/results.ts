import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { MachineFacts } from './machine.ts';
import type { Ratio, Row } from './summary.ts';
import type { CheckPerf } from './systems/etcd.ts';
import type { Trial } from './trial.ts';

export interface Results {
  readonly machine: MachineFacts;
  readonly settings: {
    readonly rounds: number;
    readonly seconds: number;
    readonly driver: string;
  };
  readonly rows: readonly Row[];
  readonly ratios: readonly Ratio[];
  readonly checkPerf: CheckPerf | null;
  /** Every single measurement, by load and system. */
  readonly trials: Readonly<Record<string, readonly Trial[]>>;
}

/** Writes one JSON document named after its time; returns the path. */
export async function writeResults(directory: string, results: Results): Promise<string> {
  await mkdir(directory, { recursive: true });
  const path = join(directory, `${results.machine.date.replace(/[:.]/g, '-')}.json`);
  await writeFile(path, `${JSON.stringify(results, null, 2)}\n`);
  return path;
}
