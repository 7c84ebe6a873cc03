/** The peers' network in one process: delays, losses, repeats and cuts, all from one seed. */
import { type Random, randomBelow } from '../../src/base/prng.ts';
import { decodeMessages, encodeMessages } from '../../src/format/message.ts';
import type { NodeId, PeerMessage } from '../../src/format/types.ts';
import type { PeerTransport } from '../../src/node/types.ts';
import type { VirtualClock } from './clock.ts';

export interface NetworkFaults {
  /** Share of frames lost, and of frames that arrive twice. */
  readonly loss: number;
  readonly repeat: number;
  readonly delayMsMax: number;
}

type Handlers = Parameters<PeerTransport['attach']>[0];

export class SimNetwork {
  readonly #clock: VirtualClock;
  readonly #random: Random;
  readonly #handlers = new Map<NodeId, Handlers>();
  readonly #cut = new Set<NodeId>();
  faults: NetworkFaults;

  constructor(clock: VirtualClock, random: Random, faults: NetworkFaults) {
    this.#clock = clock;
    this.#random = random;
    this.faults = faults;
  }

  /** A life of one member: `detach` when it crashes. */
  transport(id: NodeId): PeerTransport {
    const queue: PeerMessage[] = [];
    return {
      send: (message) => queue.push(message),
      flush: () => {
        for (const message of queue.splice(0)) this.#send(message);
      },
      setConfiguration() {},
      attach: (handlers) => this.#handlers.set(id, handlers),
    };
  }

  detach(id: NodeId): void {
    this.#handlers.delete(id);
  }

  /** Nothing reaches or leaves the member until `heal`. */
  isolate(id: NodeId): void {
    this.#cut.add(id);
  }

  heal(): void {
    this.#cut.clear();
  }

  /** Every message goes through its bytes, as between processes. */
  #send(message: PeerMessage): void {
    const bytes = encodeMessages([message]);
    const { loss, repeat, delayMsMax } = this.faults;
    if (this.#random() < loss) return;
    const copies = this.#random() < repeat ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      // Most frames are quick and a few are late, as in life.
      const late = randomBelow(this.#random, 20) === 0 ? 10 : 1;
      const delayMs = 0.05 + this.#random() * delayMsMax * late;
      const target = this.#handlers.get(message.to);
      this.#clock.after(delayMs, () => this.#deliver(message, bytes, target));
    }
  }

  #deliver({ from, to }: PeerMessage, bytes: Uint8Array, target: Handlers | undefined): void {
    const handlers = this.#handlers.get(to);
    // A frame to a life that has ended is lost with it.
    if (handlers === undefined || handlers !== target) return;
    if (this.#cut.has(from) || this.#cut.has(to)) return;
    for (const message of decodeMessages(bytes)) handlers.message(message);
  }
}
