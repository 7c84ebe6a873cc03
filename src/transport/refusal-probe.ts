import { connect, type Socket } from 'node:net';
import { type Address, parseAddress } from '../base/address.ts';
import type { Clock, Timer } from '../base/clock.ts';

/**
 * Finds out whether the process that listened at an address is gone: its system then refuses a new
 * connection. A dying process may close its connections a moment before it stops listening, so a
 * connection that ends within `withinMs` is tried anew. `refused` is called at most once.
 */
export class RefusalProbe {
  readonly #address: Address;
  readonly #refused: () => void;
  readonly #timer: Timer;
  #socket: Socket | null = null;
  #isOver = false;

  constructor(address: string, clock: Clock, withinMs: number, refused: () => void) {
    this.#address = parseAddress(address);
    this.#refused = refused;
    // After a pause of this process, timers come before what waits in the sockets.
    this.#timer = clock.after(withinMs, () => clock.soon(() => this.cancel()));
    this.#connect();
  }

  cancel(): void {
    this.#isOver = true;
    this.#timer.cancel();
    this.#socket?.destroy();
  }

  #connect(): void {
    const socket = connect(this.#address);
    this.#socket = socket;
    let reason: string | undefined = 'ECONNRESET';
    socket.on('error', ({ code }: NodeJS.ErrnoException) => {
      reason = code;
    });
    socket.on('close', () => {
      if (this.#isOver) return;
      if (reason === 'ECONNRESET') {
        this.#connect();
        return;
      }
      this.cancel();
      if (reason === 'ECONNREFUSED') this.#refused();
    });
    // Otherwise the end of the other side would go unnoticed.
    socket.resume();
  }
}
