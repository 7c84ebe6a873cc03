/** One fault of one cluster, from a healthy cluster to one that can be struck again. */
import { converse, startModule } from '../processes.ts';
import { elapse } from '../progress.ts';
import type { ElectedCluster } from '../systems/system.ts';
import type { Fault } from './faults.ts';
import type { Measurement } from './measurement.ts';
import type { WriteCount, WriterJob, WriterReport } from './writer.ts';

/** A measurement goes on after the fault for at least so long. */
export const measureMs = 2_000;
/** Writing before the fault; at random, so that it strikes at any moment between two heartbeats. */
const leadInMs = { min: 500, max: 1_000 };

/** A cluster and the process that writes to it. */
export class Subject {
  readonly cluster: ElectedCluster;
  readonly #writer = startModule(new URL('./writer.js', import.meta.url));

  constructor(cluster: ElectedCluster) {
    this.cluster = cluster;
  }

  async open(): Promise<void> {
    const { name, endpoints } = this.cluster;
    await this.cluster.healthy();
    await this.#ask({ type: 'open', store: name === 'etcd' ? 'etcd' : 'sdk', endpoints });
  }

  async measure(fault: Fault): Promise<Measurement> {
    await this.#ask({ type: 'write', fault: fault.name, leader: await this.cluster.healthy() });
    await elapse(leadInMs.min + Math.random() * (leadInMs.max - leadInMs.min));
    const leader = await this.cluster.leader();
    const server = this.cluster.nodes.find(({ endpoint }) => endpoint === leader)?.server;
    const pid = server?.process.pid;
    if (server === undefined || pid === undefined) throw new Error(`No process is ${leader}`);
    const report = await this.#ask({ type: 'strike', pid, signal: fault.signal, measureMs });
    if (report?.type !== 'measured') throw new Error('The writer measured nothing');
    if (fault.signal === 'SIGSTOP') server.process.kill('SIGCONT');
    else {
      await server.ended();
      server.startAgain();
    }
    return report.measurement;
  }

  /** Reads all that was acknowledged back, once the cluster is whole. */
  async check(): Promise<readonly WriteCount[]> {
    await this.cluster.healthy();
    const report = await this.#ask({ type: 'check' });
    return report?.type === 'checked' ? report.counts : [];
  }

  /** The last report of the job. */
  async #ask(job: WriterJob): Promise<WriterReport | null> {
    const reports: WriterReport[] = [];
    await converse(this.#writer, job, (report: WriterReport) => reports.push(report));
    return reports.at(-1) ?? null;
  }
}
