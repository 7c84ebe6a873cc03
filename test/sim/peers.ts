/** The peers' transport of one life of a member: every message goes through its bytes, as between processes. */
import { decodeMessages, encodeMessages } from '../../src/format/message.ts';
import type { NodeId, PeerMessage } from '../../src/format/types.ts';
import type { PeerTransport } from '../../src/node/types.ts';
import type { Party, SimNetwork } from './network.ts';
import type { NodeClock } from './node-clock.ts';
import type { ProbeName } from './probes.ts';

type Handlers = Parameters<PeerTransport['attach']>[0];

interface Attached {
  readonly handlers: Handlers;
  readonly clock: NodeClock;
}

export interface PeersOptions {
  readonly network: SimNetwork;
  readonly partyOf: (id: NodeId) => Party | null;
  readonly hit: (probe: ProbeName) => void;
  /** Frames may reach a later life of their receiver. */
  readonly acrossLives: boolean;
  readonly sent: (message: PeerMessage, bytes: Uint8Array) => void;
}

export class Peers {
  readonly #options: PeersOptions;
  readonly #attached = new Map<NodeId, Attached>();

  constructor(options: PeersOptions) {
    this.#options = options;
  }

  /** `flushed` is called before a turn's messages leave. */
  transport(id: NodeId, clock: NodeClock, flushed: () => void): PeerTransport {
    const queue: PeerMessage[] = [];
    return {
      send: (message) => queue.push(message),
      flush: () => {
        if (clock.isOver) return;
        flushed();
        for (const message of queue.splice(0)) this.#send(message);
      },
      opened() {},
      // The members of a run stay the same.
      setConfiguration() {},
      attach: (handlers) => this.#attached.set(id, { handlers, clock }),
    };
  }

  detach(id: NodeId): void {
    this.#attached.delete(id);
  }

  /** Tells a member that its connection to a peer is gone. */
  unreachable(id: NodeId, peer: NodeId): void {
    const attached = this.#attached.get(id);
    attached?.clock.run('socket', () => attached.handlers.unreachable(peer));
  }

  /** Its control socket to a peer was closed, and a new one refused at once. */
  gone(id: NodeId, peer: NodeId): void {
    const attached = this.#attached.get(id);
    attached?.clock.run('socket', () => attached.handlers.gone(peer));
  }

  #send(message: PeerMessage): void {
    const { network, partyOf, sent, acrossLives, hit } = this.#options;
    const bytes = encodeMessages([message]);
    sent(message, bytes);
    const from = partyOf(message.from);
    const to = partyOf(message.to);
    if (from === null || to === null) return;
    const before = this.#attached.get(message.to);
    network.datagram(from, to, () => {
      const now = this.#attached.get(message.to);
      if (now === undefined) return;
      if (now !== before) {
        if (!acrossLives) return;
        hit('messageAcrossLives');
      }
      now.clock.run('socket', () => {
        for (const decoded of decodeMessages(bytes)) now.handlers.message(decoded);
      });
    });
  }
}
