/**
 * The limit of this machine for Rollcall's design: what three Node processes can do that only take
 * frames, ship them, make them durable and answer. No log, no terms, no state.
 *
 * Puts: while the leader's file is busy, requests gather; the next batch leaves for both followers
 * in parallel with the leader's own write, and is answered when the leader and one follower have it
 * on disk. Gets: those that wait share one round trip to a follower, and are answered with a value
 * of 256 bytes. Requests and answers are frames of `rollcall.v1`, of the same sizes as the real ones.
 *
 *     node leader.js DIRECTORY FOLLOWER-PORT FOLLOWER-PORT
 */
import { join } from 'node:path';
import { Packr, Unpackr } from 'msgpackr';
import { type RawData, WebSocket, WebSocketServer } from 'ws';
import { DurableFile } from './durable-file.ts';
import { listening } from './listening.ts';

type Request = readonly [id: number, method: string, params: { readonly key: string }];
interface Waiting {
  readonly socket: WebSocket;
  readonly request: Request;
}
interface Batch {
  readonly waiting: readonly Waiting[];
  isDurableHere: boolean;
  isDurableThere: boolean;
  isAnswered: boolean;
}

const packr = new Packr({ useRecords: false });
const unpackr = new Unpackr({ useRecords: false });
const header = ['0123456789abcdef', '0123456789abcdef', '0123456789abcdef', 2];
const value = Buffer.alloc(256, 7);

class Leader {
  readonly #file: DurableFile;
  readonly #followers: readonly WebSocket[];
  readonly #batches = new Map<number, Batch>();
  #number = 0;
  #revision = 1;
  #isWriting = false;
  #isConfirming = false;
  #isFlushPlanned = false;
  #puts: Waiting[] = [];
  #putFrames: Buffer[] = [];
  #gets: Waiting[] = [];

  constructor(file: DurableFile, followers: readonly WebSocket[]) {
    this.#file = file;
    this.#followers = followers;
    for (const follower of followers) {
      follower.on('message', (frame: RawData) => this.#acknowledged(frame as Buffer));
    }
  }

  /** A frame holds requests of one method only, as the load generator sends them. */
  take(socket: WebSocket, frame: Buffer): void {
    const requests = unpackr.unpack(frame) as Request[];
    const isPut = requests[0]?.[1] === 'put';
    const waiting = isPut ? this.#puts : this.#gets;
    for (const request of requests) waiting.push({ socket, request });
    if (isPut) this.#putFrames.push(frame);
    if (this.#isFlushPlanned) return;
    this.#isFlushPlanned = true;
    setImmediate(() => {
      this.#isFlushPlanned = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#puts.length > 0 && !this.#isWriting) this.#write();
    if (this.#gets.length > 0 && !this.#isConfirming) this.#confirm();
  }

  #open(waiting: readonly Waiting[]): { readonly batch: Batch; readonly prefix: Buffer } {
    const batch = { waiting, isDurableHere: false, isDurableThere: false, isAnswered: false };
    this.#number = (this.#number + 1) >>> 0;
    this.#batches.set(this.#number, batch);
    const prefix = Buffer.allocUnsafe(4);
    prefix.writeUInt32LE(this.#number);
    return { batch, prefix };
  }

  #write(): void {
    const { batch, prefix } = this.#open(this.#puts);
    const frame = Buffer.concat([prefix, ...this.#putFrames]);
    this.#puts = [];
    this.#putFrames = [];
    this.#isWriting = true;
    for (const follower of this.#followers) follower.send(frame);
    this.#file.append(frame, () => {
      this.#isWriting = false;
      batch.isDurableHere = true;
      this.#answer(batch);
      this.#flush();
    });
  }

  #confirm(): void {
    const { batch, prefix } = this.#open(this.#gets);
    this.#gets = [];
    this.#isConfirming = true;
    batch.isDurableHere = true;
    for (const follower of this.#followers) follower.send(prefix);
  }

  #acknowledged(frame: Buffer): void {
    const number = frame.readUInt32LE(0);
    const batch = this.#batches.get(number);
    if (batch === undefined) return;
    if (batch.isDurableThere) this.#batches.delete(number);
    batch.isDurableThere = true;
    this.#answer(batch);
  }

  #answer(batch: Batch): void {
    if (!batch.isDurableHere || !batch.isDurableThere || batch.isAnswered) return;
    batch.isAnswered = true;
    const perSocket = new Map<WebSocket, unknown[]>();
    for (const { socket, request } of batch.waiting) {
      const answer = [request[0], 0, this.#body(request)];
      const answers = perSocket.get(socket);
      if (answers === undefined) perSocket.set(socket, [answer]);
      else answers.push(answer);
    }
    for (const [socket, answers] of perSocket) socket.send(packr.pack([header, answers]));
    if (batch.waiting[0]?.request[1] !== 'put') {
      this.#isConfirming = false;
      this.#flush();
    }
  }

  #body([, method, { key }]: Request): object {
    if (method === 'put') return { revision: ++this.#revision, previous: null };
    const pair = { key, value, createRevision: 2, modRevision: 2, version: 1, leaseId: null };
    return { revision: this.#revision, pairs: [pair], count: 1, more: false };
  }
}

async function dial(port: string): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}`, {
    perMessageDeflate: false,
    generateMask: (mask) => mask.fill(0),
  });
  await new Promise((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', reject);
  });
  return socket;
}

const [directory = '.', ...ports] = process.argv.slice(2);
const followers = await Promise.all(ports.map(dial));
const leader = new Leader(new DurableFile(join(directory, 'log')), followers);
const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
server.on('connection', (socket) => {
  socket.on('message', (frame: RawData) => leader.take(socket, frame as Buffer));
});
await listening(server);
