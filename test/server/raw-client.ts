/** A client that shows everything that the server says. */
import { once } from 'node:events';
import { WebSocket } from 'ws';
import { errorFromBody } from '../../src/wire/error-body.ts';
import {
  decodeServerFrame,
  encodeRequest,
  joinRequests,
  type ServerFrame,
  type ServerItem,
} from '../../src/wire/frame.ts';
import type { NodeStatus } from '../../src/wire/results.ts';
import { Inbox } from '../transport/inbox.ts';

export class RawClient {
  readonly socket: WebSocket;
  readonly frames = new Inbox<ServerFrame>();
  readonly items = new Inbox<ServerItem>();
  readonly statuses = new Inbox<NodeStatus>();
  /** Of all frames that came. */
  bytes = 0;
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  #lastId = 0;

  constructor(address: string, options: ConstructorParameters<typeof WebSocket>[2] = {}) {
    this.socket = new WebSocket(`ws://${address}/`, 'rollcall.v1', options);
    this.socket.on('error', () => {});
    this.socket.on('message', (bytes: Buffer) => {
      this.bytes += bytes.length;
      const frame = decodeServerFrame(bytes);
      this.frames.push(frame);
      for (const item of frame.items) {
        if (item.id === 0) this.statuses.push(item.body as NodeStatus);
        else this.items.push(item);
      }
    });
    this.closed = new Promise((resolve) => {
      this.socket.on('close', (code, reason) => resolve({ code, reason: String(reason) }));
    });
  }

  async opened(): Promise<this> {
    await once(this.socket, 'open');
    return this;
  }

  /** Sends requests in one frame and returns their ids. */
  send(...requests: readonly (readonly [method: string, params?: unknown])[]): number[] {
    const ids = requests.map(() => ++this.#lastId);
    this.socket.send(
      joinRequests(
        requests.map(([method, params], at) => encodeRequest(ids[at] as number, method, params)),
      ),
    );
    return ids;
  }

  next(id: number): Promise<ServerItem> {
    return this.items.take((item) => item.id === id);
  }

  /** Resolves to the result, rejects with the error. */
  async call(method: string, params?: unknown): Promise<unknown> {
    const [id] = this.send([method, params]);
    const { kind, body } = await this.next(id as number);
    if (kind === 1) throw errorFromBody(body);
    return body;
  }
}
