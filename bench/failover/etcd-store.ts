/**
 * etcd over bare HTTP/2, as a client does it that wants a short gap. It need not find the leader: every
 * member forwards a put to the leader that it knows, and keeps it while it knows none. So it stays with
 * the endpoint that answered last and goes on to the next one when an attempt fails or is not answered
 * within 100 ms; a put that a member has sent to a dead leader is lost, and etcd itself would only say so
 * after 7 s. Sessions to all endpoints are open before a fault, and a round begins at the leader, whose
 * death then shows at once.
 */
import { type ClientHttp2Session, connect, constants } from 'node:http2';
import { allOf, type Field, firstOf, headersOf, messageOf, prefixBytes } from '../drivers/grpc.ts';
import { elapse } from '../progress.ts';
import { type Store, wholeMsMax } from './store.ts';

const attemptMsMax = 100;
/** When all endpoints have refused in a row, so that trying again costs the servers little. */
const refusedPauseMs = 10;
const readMsMax = 10_000;
const pageKeys = 10_000;
const paths = { put: '/etcdserverpb.KV/Put', range: '/etcdserverpb.KV/Range' };
/** Fields of a range request, of its answer, and of a pair in it. */
const range = { key: 1, end: 2, limit: 3, keysOnly: 8 };
const pairsField = 2;
const keyField = 1;

export function openEtcdStore(endpoints: readonly string[]): Store {
  return new EtcdStore(endpoints);
}

class EtcdStore implements Store {
  readonly #endpoints: readonly string[];
  readonly #sessions = new Map<string, ClientHttp2Session>();
  /** Counts the failures: its remainder is the endpoint whose turn it is. */
  #turn = 0;
  #failuresInARow = 0;

  constructor(endpoints: readonly string[]) {
    this.#endpoints = endpoints;
  }

  async whole(leader: string): Promise<void> {
    this.#turn = Math.max(0, this.#endpoints.indexOf(leader));
    const deadline = performance.now() + wholeMsMax;
    for (const endpoint of this.#endpoints) {
      while (this.#session(endpoint).connecting) {
        if (performance.now() > deadline) throw new Error(`${endpoint} is away`);
        await elapse(10);
      }
    }
  }

  async put(key: string, value: Uint8Array): Promise<void> {
    try {
      await this.#ask(paths.put, messageOf([1, key], [2, value]), attemptMsMax);
      this.#failuresInARow = 0;
    } catch (error) {
      this.#turn++;
      this.#failuresInARow++;
      if (this.#failuresInARow % this.#endpoints.length === 0) await elapse(refusedPauseMs);
      throw error;
    }
  }

  async keys(prefix: string): Promise<ReadonlySet<string>> {
    const keys = new Set<string>();
    // Keys are ASCII, and above each of them is the prefix followed by this byte.
    const end = Buffer.concat([Buffer.from(prefix), Buffer.of(0xff)]);
    for (let next = prefix; ; ) {
      const page: readonly Field[] = [
        [range.key, next],
        [range.end, end],
        [range.limit, pageKeys],
        [range.keysOnly, 1],
      ];
      const answer = await this.#ask(paths.range, messageOf(...page), readMsMax);
      const before = keys.size;
      for (const pair of allOf(answer, pairsField)) {
        keys.add(Buffer.from(firstOf(pair, keyField) ?? []).toString());
      }
      if (keys.size - before < pageKeys) return keys;
      next = `${[...keys].at(-1)}\0`;
    }
  }

  /** One attempt at the endpoint whose turn it is. Resolves to the answer's message. */
  #ask(path: string, message: Buffer, timeoutMs: number): Promise<Buffer> {
    const endpoint = this.#endpoints[this.#turn % this.#endpoints.length] ?? '';
    return new Promise((resolve, reject) => {
      const stream = this.#session(endpoint).request(headersOf(path));
      const timer = setTimeout(() => {
        reject(new Error(`${endpoint} did not answer within ${timeoutMs} ms`));
        stream.close(constants.NGHTTP2_CANCEL);
      }, timeoutMs);
      const chunks: Buffer[] = [];
      let status = 'missing';
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('trailers', (trailers) => {
        status = String(trailers['grpc-status']);
      });
      stream.on('error', reject);
      stream.on('close', () => {
        clearTimeout(timer);
        if (status === '0') resolve(Buffer.concat(chunks).subarray(prefixBytes));
        else reject(new Error(`${endpoint} ended the request, its status is ${status}`));
      });
      stream.end(message);
    });
  }

  /** The session to an endpoint, a new one where it has ended or is about to. */
  #session(endpoint: string): ClientHttp2Session {
    const known = this.#sessions.get(endpoint);
    if (known !== undefined && !known.closed && !known.destroyed) return known;
    const session = connect(`http://${endpoint}`);
    session.on('error', () => {});
    this.#sessions.set(endpoint, session);
    return session;
  }
}
