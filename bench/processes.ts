/**
 * The child processes of a benchmark run. Each is in a process group of its own, so that Ctrl-C
 * reaches only the runner, which then ends them all and waits for them.
 */
import { type ChildProcess, fork, type StdioOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { JobEnd } from './worker.ts';

const stopMsMax = 10_000;
const ticksPerSecond = 100;
const logLines = 5;
const running = new Set<ChildProcess>();
let isEnding = false;
const logPaths = new WeakMap<ChildProcess, string>();

/** Whatever is kept ends with the run at the latest: at once when the run is ending already. */
export function keep(child: ChildProcess): ChildProcess {
  running.add(child);
  if (isEnding) child.kill('SIGKILL');
  child.once('exit', () => running.delete(child));
  child.once('error', () => running.delete(child));
  return child;
}

/** A program that writes its output to a log file and may be started again once it has ended. */
export class Server {
  readonly #program: string;
  readonly #parameters: readonly string[];
  readonly #logPath: string;
  #process: ChildProcess;

  constructor(program: string, parameters: readonly string[], logPath: string) {
    this.#program = program;
    this.#parameters = parameters;
    this.#logPath = logPath;
    this.#process = this.#start();
  }

  get process(): ChildProcess {
    return this.#process;
  }

  /** Only once it has ended. */
  startAgain(): void {
    this.#process = this.#start();
  }

  /** Resolves when it has ended; rejects when it does not in time. */
  async ended(): Promise<void> {
    if (!running.has(this.#process)) return;
    const timeout = AbortSignal.timeout(stopMsMax);
    await once(this.#process, 'exit', { signal: timeout }).catch(() => {
      throw new Error(`A server did not end within ${stopMsMax / 1000} s`);
    });
  }

  #start(): ChildProcess {
    const log = openSync(this.#logPath, 'a');
    try {
      const stdio: StdioOptions = ['ignore', log, log];
      const child = spawn(this.#program, this.#parameters, { stdio, detached: true });
      logPaths.set(child, this.#logPath);
      return keep(child);
    } finally {
      closeSync(log);
    }
  }
}

/** Throws, with the end of its log, when one of the processes has ended. */
export function assertAlive(children: readonly ChildProcess[]): void {
  for (const child of children) {
    if (running.has(child)) continue;
    const path = logPaths.get(child);
    const log = path === undefined ? [] : readFileSync(path, 'utf8').trimEnd().split('\n');
    const how = child.signalCode ?? `code ${child.exitCode}`;
    throw new Error([`A server ended with ${how}`, ...log.slice(-logLines)].join('\n  '));
  }
}

/** Starts a module of the benchmark with an IPC channel. */
export function startModule(module: URL, parameters: readonly string[] = []): ChildProcess {
  return keep(fork(module, parameters, { detached: true, stdio: ['ignore', 2, 2, 'ipc'] }));
}

/** The first message of a module, or why there is none. */
export function firstMessage<T>(child: ChildProcess, name: string): Promise<T> {
  return new Promise((resolve, reject) => {
    child.once('message', (message) => resolve(message as T));
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`${name} ended with ${code} before it was up`)));
  });
}

/**
 * Gives a job to a module that answers with `answerEach`, and hands on what it reports meanwhile. Resolves
 * when the job is done, rejects when it has failed.
 */
export function converse<R>(
  child: ChildProcess,
  job: object,
  take: (report: R) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (error: Error | null) => {
      child.off('message', read);
      child.off('exit', exited);
      if (error === null) resolve();
      else reject(error);
    };
    const read = (message: unknown) => {
      const end = message as JobEnd;
      if (end.type === 'done') settle(null);
      else if (end.type === 'failed') settle(new Error(end.message));
      else take(message as R);
    };
    const exited = () => settle(new Error('The process that asks the servers ended early'));
    child.on('message', read);
    child.on('exit', exited);
    child.send(job);
  });
}

/** Asks all processes to end, one after the other, and kills what has not ended in time. */
export async function stopAll(): Promise<void> {
  isEnding = true;
  for (const child of running) {
    const exited = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    // One that was paused would not hear of it.
    child.kill('SIGCONT');
    const timer = setTimeout(() => child.kill('SIGKILL'), stopMsMax);
    await exited;
    clearTimeout(timer);
  }
}

/** The last resort, when there is no time left to wait. */
export function killAll(): void {
  isEnding = true;
  for (const child of running) child.kill('SIGKILL');
}

/** Ports that were free a moment ago. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve, reject) => {
          server.once('error', reject);
          server.listen(0, '127.0.0.1', () => {
            const address = server.address();
            resolve(typeof address === 'object' && address !== null ? address.port : 0);
          });
        }),
    ),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** Processor time that the processes have used together, user and system, in microseconds. */
export function cpuMicros(pids: readonly number[]): number {
  let ticks = 0;
  for (const pid of pids) {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The second field, the program's name in parentheses, may hold spaces; utime and stime are 14 and 15.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return (ticks / ticksPerSecond) * 1e6;
}

/** Resident memory of each process in MiB. */
export function residentMebibytes(pids: readonly number[]): number[] {
  return pids.map((pid) => mebibytesOf(readStatus(pid), 'VmRSS'));
}

/** Resident memory of a process in MiB: its own, and pages of files that it maps. */
export function readMemory(pid: number): { readonly own: number; readonly mapped: number } {
  const status = readStatus(pid);
  return { own: mebibytesOf(status, 'RssAnon'), mapped: mebibytesOf(status, 'RssFile') };
}

/** How long the main thread of a process could have run since its start, but another one had the processor. */
export function waitedMs(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/schedstat`, 'latin1').split(' ')[1]) / 1e6;
}

function readStatus(pid: number): string {
  return readFileSync(`/proc/${pid}/status`, 'latin1');
}

function mebibytesOf(status: string, field: 'VmRSS' | 'RssAnon' | 'RssFile'): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0) / 1024;
}
