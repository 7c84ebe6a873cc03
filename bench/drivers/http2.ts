/**
 * Drives etcd's KV service: gRPC over Node's own HTTP/2, which leaves etcd more of the shared cores
 * than a gRPC library does (measured: up to twice the rate). One session is one connection. A put is
 * {1: key, 2: value}; a range {1: key}, linearizable unless asked otherwise; its answer
 * {2: pairs {5: value}}.
 */
import { randomBytes } from 'node:crypto';
import { type ClientHttp2Session, connect } from 'node:http2';
import { keyOf, type Operation, valueBytes } from '../load/loads.ts';
import type { Connect, Connection, ConnectOptions } from './driver.ts';
import { firstOf, headersOf, messageOf, prefixBytes } from './grpc.ts';

const pairsField = 2;
const valueField = 5;
const paths: Readonly<Record<Operation, string>> = {
  put: '/etcdserverpb.KV/Put',
  get: '/etcdserverpb.KV/Range',
};

export const connectHttp2: Connect = async (options) => {
  const session = connect(`http://${options.endpoint}`);
  await new Promise((resolve, reject) => {
    session.once('connect', resolve);
    session.once('error', reject);
  });
  return new Http2Connection(session, options);
};

class Http2Connection implements Connection {
  readonly #session: ClientHttp2Session;
  readonly #options: ConnectOptions;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #value = randomBytes(valueBytes);
  #isClosed = false;

  constructor(session: ClientHttp2Session, options: ConnectOptions) {
    this.#session = session;
    this.#options = options;
    this.#headers = headersOf(paths[options.operation]);
    session.on('error', () => {});
    session.on('close', () => {
      if (!this.#isClosed) options.lost('etcd closed the connection');
    });
  }

  send(slot: number, key: number): void {
    const stream = this.#session.request(this.#headers);
    const chunks: Buffer[] = [];
    let status = 'missing';
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('trailers', (trailers) => {
      status = String(trailers['grpc-status']);
    });
    stream.on('error', () => {});
    stream.on('end', () => this.#options.answered(slot, this.#failure(status, chunks)));
    stream.end(requestMessage(this.#options.operation, key, this.#value));
  }

  flush(): void {}

  close(): void {
    this.#isClosed = true;
    this.#session.destroy();
  }

  #failure(status: string, chunks: readonly Buffer[]): string | null {
    if (status !== '0') return `The status is ${status}`;
    if (this.#options.operation === 'put') return null;
    const pair = firstOf(Buffer.concat(chunks).subarray(prefixBytes), pairsField);
    const value = pair === null ? null : firstOf(pair, valueField);
    return value?.length === valueBytes
      ? null
      : `A get answered with ${value?.length ?? 'no'} bytes`;
  }
}

export function requestMessage(operation: Operation, key: number, value: Uint8Array): Buffer {
  return operation === 'put' ? messageOf([1, keyOf(key)], [2, value]) : messageOf([1, keyOf(key)]);
}
