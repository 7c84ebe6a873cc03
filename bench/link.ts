/** A TCP link in front of a port, for processes on one machine that are to be far apart. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { elapse } from './progress.ts';

/** So much of one connection passes at a time, so that another one's turn comes soon. */
const pieceBytes = 16 * 1024;
/** Timers come late: what could not leave meanwhile may follow at once, if it is no more than this. */
const lateMsMax = 50;
const options = { noDelay: true, allowHalfOpen: true } as const;

export class Link {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #bytesPerSecond: number | null = null;
  /** When what was let through so far has left, at the rate of the link. */
  #freeAtMs = 0;

  /** Opens a port on loopback that leads to this one. */
  static async open(targetPort: number): Promise<Link> {
    const link = new Link(targetPort);
    link.#server.listen(0, '127.0.0.1');
    await once(link.#server, 'listening');
    return link;
  }

  private constructor(targetPort: number) {
    this.#server = createServer(options, (near) => {
      const far = connect({ port: targetPort, host: '127.0.0.1', ...options });
      this.#join(near, far);
    });
    // It lasts as long as the run.
    this.#server.unref();
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** How much of what is sent to the port may pass, over all connections; null lets everything pass. */
  limit(bytesPerSecond: number | null): void {
    this.#bytesPerSecond = bytesPerSecond;
    this.#freeAtMs = performance.now();
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #join(near: Socket, far: Socket): void {
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(socket);
      // The end of one side is the end of the other, however it came.
      socket.on('error', () => {});
      socket.once('close', () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
    far.pipe(near);
    void this.#carry(near, far);
  }

  async #carry(from: Socket, to: Socket): Promise<void> {
    try {
      // What still comes from the other side passes after the end of this one.
      const chunks: AsyncIterable<Buffer> = from.iterator({ destroyOnReturn: false });
      for await (const chunk of chunks) {
        for (let at = 0; at < chunk.length; at += pieceBytes) {
          const piece = chunk.subarray(at, at + pieceBytes);
          await this.#wait(piece.length);
          if (!to.write(piece)) await once(to, 'drain');
        }
      }
      to.end();
    } catch {
      // Either side was reset; the other one goes with it.
      to.destroy();
    }
  }

  async #wait(bytes: number): Promise<void> {
    const rate = this.#bytesPerSecond;
    if (rate === null) return;
    const nowMs = performance.now();
    this.#freeAtMs = Math.max(nowMs - lateMsMax, this.#freeAtMs) + (bytes / rate) * 1000;
    if (this.#freeAtMs > nowMs) await elapse(this.#freeAtMs - nowMs);
  }
}
