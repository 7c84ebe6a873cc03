/**
 * Watchers in a process of their own: clients of one socket each, in turn to the nodes, with so many watches
 * each. An event's delay is the time since the writer sent the put, as the value says.
 */
import { type Client, connect, RollcallError, type Watch } from '../../src/client/index.ts';
import { elapse } from '../progress.ts';
import { answerEach } from '../worker.ts';
import { keyOf, writesPrefix } from '../writers/put-key.ts';
import { stampOf } from '../writers/stamp.ts';
import { type DelaySpan, Delays } from './delays.ts';

export type WatchersJob =
  | {
      readonly type: 'open';
      readonly endpoints: readonly string[];
      readonly sockets: number;
      /** Of all sockets together. */
      readonly watches: number;
      /** Each watch has a key of its own, from the first that are written; else all have all keys. */
      readonly ownKeys: boolean;
    }
  /** Reports what came since the last time. */
  | { readonly type: 'lap' }
  /** Goes on with so many watches alone, and resolves once these were told of everything up to a revision. */
  | { readonly type: 'drain'; readonly watches: number; readonly revision: number }
  | { readonly type: 'close' };

export interface WatchersReport extends DelaySpan {
  /** Watches that ended or left something out, with the codes of their errors or what they left out. */
  readonly ended: readonly string[];
}

const clients: Client[] = [];
const watches: Watch[] = [];
let delays = new Delays();
let ended: string[] = [];
/** Up to which revision each watch has told. */
const told = new Map<Watch, number>();

async function open(job: WatchersJob & { readonly type: 'open' }): Promise<void> {
  const { endpoints, sockets } = job;
  for (let socket = 0; socket < sockets; socket++) {
    const endpoint = endpoints[socket % endpoints.length] as string;
    clients.push(await connect({ endpoints: [endpoint], learnEndpoints: false }));
  }
  for (let number = 0; number < job.watches; number++) {
    const client = clients[number % sockets] as Client;
    const watch = client.watch(job.ownKeys ? keyOf(number) : { prefix: writesPrefix });
    watches.push(watch);
    void follow(watch, !job.ownKeys);
  }
  await Promise.all(watches.map((watch) => watch.ready()));
}

/** With `isAll` every revision is an event of it, as nobody else writes. */
async function follow(watch: Watch, isAll: boolean): Promise<void> {
  told.set(watch, 0);
  try {
    for await (const { revision, events } of watch) {
      const nowMs = performance.timeOrigin + performance.now();
      for (const { pair } of events) delays.add(nowMs - stampOf(pair.value));
      const last = told.get(watch) ?? 0;
      if (isAll && last > 0 && revision !== last + 1) ended.push(`${revision} after ${last}`);
      if (told.has(watch)) told.set(watch, revision);
    }
  } catch (error) {
    ended.push(error instanceof RollcallError ? error.code : String(error));
  }
}

async function drain(count: number, revision: number): Promise<void> {
  for (const watch of watches.splice(count)) {
    told.delete(watch);
    watch.close();
  }
  // Nothing else may be waited on: the watches are told by the nodes when they are.
  while ([...told.values()].some((last) => last < revision) && ended.length === 0) {
    await elapse(100);
  }
}

async function close(): Promise<void> {
  for (const watch of watches.splice(0)) watch.close();
  await Promise.all(clients.splice(0).map((client) => client.close()));
  told.clear();
  delays = new Delays();
}

function report(): void {
  const message: WatchersReport = { ...delays.lap(), ended };
  ended = [];
  process.send?.(message);
}

answerEach(async (job: WatchersJob) => {
  if (job.type === 'open') await open(job);
  else if (job.type === 'drain') await drain(job.watches, job.revision);
  else if (job.type === 'close') await close();
  else report();
});
