/** A node of one's own inside this process, spoken to by the SDK over its socket. */
import { join } from 'node:path';
import { RollcallError } from '../../src/base/errors.ts';
import {
  type Client,
  connect,
  type KeySelector,
  type KeyValue,
  type OperationResult,
} from '../../src/client/index.ts';
import type { Key, KeyRange } from '../../src/mvcc/types.ts';
import { type RunningServer, startServer } from '../../src/server/index.ts';
import { EventList } from './event-list.ts';
import type { Answer, AnsweredPair, OpenWatch, Step, Store, WatchStep } from './step.ts';

export async function startRollcall(directory: string): Promise<Store> {
  const server = await startServer({
    ...{ name: 'n1', dataDirectory: join(directory, 'n1'), logLevel: 'silent' },
    ...{ clientListen: '127.0.0.1:0', peerListen: '127.0.0.1:0' },
  });
  await server.born;
  const client = await connect({ endpoints: [server.clientAddress], requestTimeoutMs: 30_000 });
  return new RollcallStore(server, client);
}

class RollcallStore implements Store {
  readonly name = 'rollcall';
  readonly #server: RunningServer;
  readonly #client: Client;

  constructor(server: RunningServer, client: Client) {
    this.#server = server;
    this.#client = client;
  }

  async run(step: Step): Promise<Answer> {
    try {
      return await this.#run(step);
    } catch (error) {
      return failure(error);
    }
  }

  async watch(step: WatchStep): Promise<OpenWatch> {
    const { startRevision, previous, only } = step;
    const watch = this.#client.watch(selectorOf(step), {
      ...{ startRevision, previous },
      ...(only !== null && { only }),
    });
    const list = new EventList(() => watch.close());
    const reading = async (): Promise<void> => {
      try {
        for await (const { events } of watch) {
          for (const { type, pair, previous: before } of events) {
            list.add({ type, pair: pairOf(pair), previous: before && pairOf(before) });
          }
        }
      } catch (error) {
        // Of a watch both say from where on another one could begin.
        const { compactRevision } = error instanceof RollcallError ? error.details : {};
        const from = compactRevision !== undefined && { compactRevision };
        list.ended({ ...failure(error), ...from });
      }
    };
    const read = reading();
    await Promise.race([watch.ready().catch(() => read), read]);
    return list;
  }

  async close(): Promise<void> {
    await this.#client.close();
    await this.#server.close();
  }

  async #run(step: Step): Promise<Answer> {
    const client = this.#client;
    switch (step.type) {
      case 'range': {
        const { key: _, rangeEnd: __, type: ___, ...options } = step;
        const { revision, ...range } = await client.range(selectorOf(step), options);
        return { revision, ...rangeOf(range) };
      }
      case 'put': {
        const { revision, previous } = await client.put(bytesOf(step.key), step.value, step);
        return { revision, previous: previous && pairOf(previous) };
      }
      case 'delete': {
        const { revision, ...rest } = await client.delete(selectorOf(step), step);
        return { revision, deleted: rest.deleted, previous: rest.previous.map(pairOf) };
      }
      case 'txn': {
        const { compares: compare, success, failure: otherwise } = step;
        const txn = { compare, success, failure: otherwise };
        const { revision, succeeded, results } = await client.txn(txn);
        return { revision, succeeded, results: results.map(resultOf) };
      }
      case 'compact': {
        const { revision } = await client.compact(step.revision, { physical: step.physical });
        return { revision };
      }
      default:
        return this.#runOnLease(step);
    }
  }

  async #runOnLease(step: Extract<Step, { readonly type: `lease${string}` }>): Promise<Answer> {
    const { leases } = this.#client;
    switch (step.type) {
      case 'leaseGrant': {
        const { leaseId, ttlSeconds } = step;
        const granted = await leases.grant({ leaseId, ttlMs: ttlSeconds * 1000 });
        return { leaseId: granted.leaseId, ttlSeconds: granted.ttlMs / 1000 };
      }
      case 'leaseRevoke':
        return { revision: (await leases.revoke(step.leaseId)).revision };
      case 'leaseKeepAlive': {
        const { ttlMs } = await leases.keepAliveOnce(step.leaseId);
        return { ttlSeconds: ttlMs / 1000 };
      }
      case 'leaseTimeToLive': {
        const status = await leases.timeToLive(step.leaseId, { keys: true });
        const keys = status.keys.map((key) => Buffer.from(key).toString('latin1'));
        return { grantedSeconds: status.grantedTtlMs / 1000, keys: keys.sort() };
      }
      case 'leaseList':
        return { leaseIds: (await leases.list()).map(({ leaseId }) => leaseId).sort() };
    }
  }
}

function failure(error: unknown): Answer {
  if (!(error instanceof RollcallError)) throw error;
  return { error: error.code };
}

function selectorOf({ key, rangeEnd }: KeyRange): KeySelector {
  if (rangeEnd === null) return bytesOf(key);
  if (rangeEnd === '\0') return { from: bytesOf(key) };
  return { key: bytesOf(key), end: bytesOf(rangeEnd) };
}

function bytesOf(key: Key): Uint8Array {
  return Buffer.from(key, 'latin1');
}

function pairOf(pair: KeyValue): AnsweredPair {
  const { createRevision, modRevision, version, leaseId } = pair;
  return {
    key: Buffer.from(pair.key).toString('latin1'),
    value: Buffer.from(pair.value).toString('hex'),
    ...{ createRevision, modRevision, version, leaseId },
  };
}

function rangeOf(range: {
  readonly pairs: readonly KeyValue[];
  readonly count: number;
  readonly more: boolean;
}): Answer {
  return { pairs: range.pairs.map(pairOf), count: range.count, more: range.more };
}

function resultOf(result: OperationResult): Answer {
  switch (result.type) {
    case 'put':
      return { previous: result.previous && pairOf(result.previous) };
    case 'delete':
      return { deleted: result.deleted, previous: result.previous.map(pairOf) };
    case 'range':
      return rangeOf(result);
    case 'txn':
      return { succeeded: result.succeeded, results: result.results.map(resultOf) };
  }
}
