/** One round: the leases are granted and kept, and then they end together. */
import type { ChildProcess } from 'node:child_process';
import type { Client } from '../../src/client/index.ts';
import { converse, cpuMicros } from '../processes.ts';
import { elapse, progress } from '../progress.ts';
import { LeaderProcess } from '../systems/leader-process.ts';
import type { ElectedCluster } from '../systems/system.ts';
import type { Measurement } from '../writers/writers.ts';
import type { WritersProcess } from '../writers/writers-process.ts';
import { type HoldersJob, type HoldersReport, leasePrefix } from './holders.ts';
import type { LeasesSettings } from './settings.ts';

export interface Trial {
  readonly grantSeconds: number;
  readonly leaderCores: number;
  readonly followerCores: number;
  /** Leases that were lost while they were kept. */
  readonly lost: number;
  /** Keys that were gone before the TTL of the first renewal. */
  readonly early: number;
  readonly goneSeconds: number;
  readonly before: Measurement;
  readonly meanwhile: Measurement;
  /** The share of the time in which the leader waited for a processor, while the leases ended. */
  readonly waitShare: number;
  readonly leaderChanged: boolean;
}

export interface Parties {
  readonly cluster: ElectedCluster;
  readonly holders: ChildProcess;
  readonly writers: WritersProcess;
  readonly observer: Client;
}

const lookEveryMs = 20;
/** The round ends then, whatever is left. */
const goneMsMax = 60_000;

export async function tryLeases(parties: Parties, settings: LeasesSettings): Promise<Trial> {
  const { cluster, holders, writers, observer } = parties;
  const { leases, connections, ttlMs, seconds } = settings;
  const { endpoints } = cluster;
  progress(`Granting ${leases.toLocaleString('en')} leases …`);
  const granted = await ask(holders, { type: 'grant', endpoints, leases, connections, ttlMs });
  if (granted.type !== 'granted') throw new Error('Nothing was granted');
  // All have been renewed since, so that renewals are spread as they will be from now on.
  await elapse(ttlMs / 2);
  progress('Keeping them …');
  const leader = await cluster.leader();
  const { leaderCores, followerCores } = await cores(cluster, leader, seconds * 1000);
  const counted = await ask(holders, { type: 'count' });
  progress('Letting them end …');
  await writers.ask({ type: 'begin', rate: settings.rate, keys: 10_000 });
  const left = await ask(holders, { type: 'leave' });
  if (left.type !== 'left' || counted.type !== 'counted') throw new Error('The holders are gone');
  await writers.measure({ type: 'lap' });
  // A little more than the time for which nothing can happen.
  const firstDueMs = left.renewedFromMs + ttlMs;
  await elapse(Math.max(0, firstDueMs - 500 - Date.now()));
  const early = leases - (await keysLeft(observer));
  const before = await writers.measure({ type: 'lap' });
  const process = new LeaderProcess(pidOf(cluster, leader));
  const goneMs = await untilGone(observer, left.dueMs);
  const { waitShare } = process.lap();
  process.end();
  const meanwhile = await writers.measure({ type: 'lap' });
  return {
    ...{ grantSeconds: granted.seconds, leaderCores, followerCores, early },
    lost: leases - counted.kept,
    goneSeconds: (goneMs - left.dueMs) / 1000,
    ...{ before, meanwhile, waitShare, leaderChanged: (await cluster.leader()) !== leader },
  };
}

async function ask(holders: ChildProcess, job: HoldersJob): Promise<HoldersReport> {
  const reports: HoldersReport[] = [];
  await converse(holders, job, (report: HoldersReport) => reports.push(report));
  const [report] = reports;
  if (report === undefined) throw new Error('The holders said nothing');
  return report;
}

/** Processor time by time, of the leader and of the others together. */
async function cores(
  cluster: ElectedCluster,
  leader: string,
  ms: number,
): Promise<{ readonly leaderCores: number; readonly followerCores: number }> {
  const led = [pidOf(cluster, leader)];
  const all = cluster.processes.map(({ pid }) => pid ?? 0);
  const before = { led: cpuMicros(led), all: cpuMicros(all), ms: performance.now() };
  await elapse(ms);
  const micros = 1000 * (performance.now() - before.ms);
  const leaderMicros = cpuMicros(led) - before.led;
  const allMicros = cpuMicros(all) - before.all;
  return {
    leaderCores: leaderMicros / micros,
    followerCores: (allMicros - leaderMicros) / micros / (all.length - 1),
  };
}

async function keysLeft(observer: Client): Promise<number> {
  return (await observer.range({ prefix: leasePrefix }, { countOnly: true })).count;
}

/** When the last key was seen to be gone, by the wall clock. */
async function untilGone(observer: Client, dueMs: number): Promise<number> {
  while ((await keysLeft(observer)) > 0) {
    if (Date.now() > dueMs + goneMsMax) throw new Error('Leases are still there');
    await elapse(lookEveryMs);
  }
  return Date.now();
}

function pidOf(cluster: ElectedCluster, endpoint: string): number {
  return cluster.nodes.find((node) => node.endpoint === endpoint)?.server.process.pid ?? 0;
}
