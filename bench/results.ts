import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { MachineFacts } from './machine.ts';

/** What every document holds; each benchmark adds its own figures. */
export interface Results {
  readonly machine: MachineFacts;
}

export const resultsDirectory = fileURLToPath(new URL('../../bench/results', import.meta.url));

/** Writes one JSON document, named after the benchmark and its time; returns the path. */
export async function writeResults(benchmark: string, results: Results): Promise<string> {
  await mkdir(resultsDirectory, { recursive: true });
  const time = results.machine.date.replace(/[:.]/g, '-');
  const path = join(resultsDirectory, `${benchmark}-${time}.json`);
  await writeFile(path, `${JSON.stringify(results, null, 2)}\n`);
  return path;
}
