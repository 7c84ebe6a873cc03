/**
 * Drives etcd's KV service: gRPC over Node's own HTTP/2, which leaves etcd more of the shared cores
 * than a gRPC library does (measured: up to twice the rate). One session is one connection. The few
 * messages are written and read by hand: a put is {1: key, 2: value}; a range {1: key}, linearizable
 * unless asked otherwise; its answer {2: pairs {5: value}}.
 */
import { randomBytes } from 'node:crypto';
import { type ClientHttp2Session, connect } from 'node:http2';
import { keyOf, type Operation, valueBytes } from '../loads.ts';
import type { Connect, Connection, ConnectOptions } from './driver.ts';

/** Before each message: whether it is compressed (never), and its length. */
const prefixBytes = 5;
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
    this.#headers = {
      ':method': 'POST',
      ':path': paths[options.operation],
      'content-type': 'application/grpc',
      te: 'trailers',
    };
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
    const pair = fieldBytes(Buffer.concat(chunks).subarray(prefixBytes), pairsField);
    const value = pair === null ? null : fieldBytes(pair, valueField);
    return value?.length === valueBytes
      ? null
      : `A get answered with ${value?.length ?? 'no'} bytes`;
  }
}

/** A gRPC message with its prefix. */
export function requestMessage(operation: Operation, key: number, value: Uint8Array): Buffer {
  const parts = [...field(1, Buffer.from(keyOf(key)))];
  if (operation === 'put') parts.push(...field(2, value));
  const message = Buffer.concat([Buffer.alloc(prefixBytes), ...parts]);
  message.writeUInt32BE(message.length - prefixBytes, 1);
  return message;
}

function field(number: number, bytes: Uint8Array): readonly Uint8Array[] {
  const lengthDelimited = 2;
  return [Buffer.from([(number << 3) | lengthDelimited, ...varint(bytes.length)]), bytes];
}

function varint(number: number): number[] {
  return number < 0x80 ? [number] : [(number & 0x7f) | 0x80, ...varint(number >>> 7)];
}

/** The first length-delimited field of that number; what is read holds only varints and such fields. */
export function fieldBytes(message: Uint8Array, number: number): Uint8Array | null {
  let at = 0;
  const readVarint = () => {
    let result = 0;
    for (let factor = 1; ; factor *= 0x80) {
      const byte = message[at++] ?? 0;
      result += (byte & 0x7f) * factor;
      if (byte < 0x80) return result;
    }
  };
  while (at < message.length) {
    const tag = readVarint();
    const size = readVarint();
    if ((tag & 7) !== 2) continue;
    if (tag >>> 3 === number) return message.subarray(at, at + size);
    at += size;
  }
  return null;
}
