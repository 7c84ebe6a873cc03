/** Where a result was measured: without it the figures mean nothing. */
import { execFile } from 'node:child_process';
import { open } from 'node:fs/promises';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { median } from './statistics.ts';

export interface MachineFacts {
  readonly date: string;
  readonly processor: string;
  readonly cores: number;
  readonly memoryGibibytes: number;
  readonly kernel: string;
  readonly node: string;
  readonly etcd: string | null;
  /** Processes that ran or wanted to, over the last minute, before the benchmark began. */
  readonly loadAverage: number;
  readonly syncMs: number;
}

const syncs = 200;
const busyLoadAverage = 0.5;

export async function describeMachine(
  directory: string,
): Promise<{ readonly facts: MachineFacts; readonly lines: readonly string[] }> {
  const processors = cpus();
  const facts: MachineFacts = {
    date: new Date().toISOString(),
    processor: processors[0]?.model ?? 'unknown',
    cores: processors.length,
    memoryGibibytes: Math.round(totalmem() / 1024 ** 3),
    kernel: release(),
    node: process.version,
    etcd: await etcdVersion(),
    loadAverage: loadavg()[0] ?? 0,
    syncMs: await measureSync(join(directory, 'sync')),
  };
  const lines = [
    `${facts.cores} × ${facts.processor}, ${facts.memoryGibibytes} GiB, Linux ${facts.kernel}`,
    `Node ${facts.node}, etcd ${facts.etcd ?? 'not found'}, fdatasync ${facts.syncMs.toFixed(2)} ms`,
  ];
  if (facts.loadAverage > busyLoadAverage) {
    lines.push(`The machine is not idle (load ${facts.loadAverage}): expect noise`);
  }
  return { facts, lines };
}

async function etcdVersion(): Promise<string | null> {
  const run = promisify(execFile);
  const output = await run('etcd', ['--version']).then(
    ({ stdout }) => stdout,
    () => '',
  );
  return /etcd Version: (\S+)/.exec(output)?.[1] ?? null;
}

/** The usual time to write a small record into a preallocated file and sync it. */
async function measureSync(path: string): Promise<number> {
  const record = Buffer.alloc(512, 1);
  const file = await open(path, 'w');
  try {
    await file.write(Buffer.alloc(record.length * syncs));
    await file.sync();
    const times: number[] = [];
    for (let count = 0; count < syncs; count++) {
      const startMs = performance.now();
      await file.write(record, 0, record.length, count * record.length);
      await file.datasync();
      times.push(performance.now() - startMs);
    }
    return median(times);
  } finally {
    await file.close();
  }
}
