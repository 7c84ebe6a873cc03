/**
 * Stands between clients and a node, frame by frame: it can lose the node's answers together with the
 * connection, and send the node once more what clients have sent before, on connections of its own.
 */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { type RawData, WebSocket, WebSocketServer } from 'ws';
import { subprotocol } from '../../src/wire/frame.ts';

/** Frames that may be sent again; older ones are forgotten. */
const framesMax = 2000;

export class FrameProxy {
  readonly #target: string;
  readonly #server: WebSocketServer;
  readonly #pairs = new Map<WebSocket, WebSocket>();
  readonly #replays = new Set<WebSocket>();
  #losesAnswers = false;
  /** What clients have sent, oldest first. */
  readonly frames: Uint8Array[] = [];

  private constructor(target: string) {
    this.#target = target;
    this.#server = new WebSocketServer({
      ...{ host: '127.0.0.1', port: 0, perMessageDeflate: false },
      handleProtocols: (offered) => (offered.has(subprotocol) ? subprotocol : false),
    });
    this.#server.on('connection', (near) => this.#join(near));
  }

  static async open(target: string): Promise<FrameProxy> {
    const proxy = new FrameProxy(target);
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** From the next frame of any client on nothing of the node's comes through, until `hangUp`. */
  loseAnswers(): void {
    this.#losesAnswers = true;
  }

  /** Ends all connections; new ones work again. */
  hangUp(): void {
    this.#losesAnswers = false;
    for (const [near, far] of this.#pairs) {
      near.terminate();
      far.terminate();
    }
  }

  /** Sends the node a frame that some client has sent at some time; nobody hears the answers. */
  replay(frame: Uint8Array): void {
    const far = this.#dial();
    this.#replays.add(far);
    far.on('open', () => far.send(frame));
    // The second message answers the first frame; before it comes the node's status.
    let messages = 0;
    far.on('message', () => {
      if (++messages === 2) far.terminate();
    });
    far.on('close', () => this.#replays.delete(far));
  }

  async close(): Promise<void> {
    this.hangUp();
    for (const far of this.#replays) far.terminate();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #dial(): WebSocket {
    const far = new WebSocket(`ws://${this.#target}`, subprotocol, { perMessageDeflate: false });
    far.on('error', () => far.terminate());
    return far;
  }

  #join(near: WebSocket): void {
    const far = this.#dial();
    this.#pairs.set(near, far);
    const early: RawData[] = [];
    near.on('error', () => near.terminate());
    near.on('message', (frame) => {
      this.frames.push(frame as Buffer);
      if (this.frames.length > framesMax) this.frames.shift();
      if (far.readyState === WebSocket.OPEN) far.send(frame);
      else early.push(frame);
    });
    far.on('open', () => {
      for (const frame of early) far.send(frame);
    });
    far.on('message', (frame) => {
      if (!this.#losesAnswers) near.send(frame);
    });
    near.on('close', () => {
      this.#pairs.delete(near);
      far.terminate();
    });
    far.on('close', () => near.terminate());
  }
}
