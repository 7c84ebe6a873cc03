/** The peer ports of all processes, and the wires between them: every message goes through its bytes. */
import { encodeMessages } from '../../src/format/message.ts';
import type { PeerMessage } from '../../src/format/types.ts';
import type { Hello } from '../../src/transport/hello.ts';
import type { VirtualClock } from './clock.ts';
import type { Far, Link } from './link.ts';
import type { Party, SimNetwork } from './network.ts';
import { Port, type PortOptions, type Wires } from './port.ts';
import type { ProbeName } from './probes.ts';

export interface PeersOptions {
  readonly network: SimNetwork;
  readonly clock: VirtualClock;
  readonly hit: (probe: ProbeName) => void;
  /** Frames may reach a later life of their receiver. */
  readonly acrossLives: boolean;
  readonly sent: (message: PeerMessage, bytes: Uint8Array) => void;
  /** Where a peer address leads, whoever is there. */
  readonly partyAt: (address: string) => Party | null;
  /** Whether the machine can say that a process is gone. */
  readonly isPowered: (party: Party) => boolean;
}

export class Peers {
  readonly #options: PeersOptions;
  /** Of the process that runs on each machine. */
  readonly #ports = new Map<Party, Port>();
  readonly #wires: Wires;

  constructor(options: PeersOptions) {
    this.#options = options;
    this.#wires = {
      dial: (from, address, link, hello) => this.#dial(from, address, link, hello),
      tell: (from, to, action) => this.#tell(from, to, action),
      send: (from, link, message) => this.#send(from, link, message),
      hears: (at, from) => !from.clock.isOver && this.#isOpen(at.party, from.party),
    };
  }

  open(options: Omit<PortOptions, 'wires'>): Port {
    const port = new Port({ ...options, wires: this.#wires });
    this.#ports.set(options.party, port);
    return port;
  }

  /**
   * A process has ended. Its machine says so to whoever is connected to it, unless the machine has lost
   * its power as well.
   */
  ended(port: Port, isSilent: boolean, delayMs: () => number): void {
    const { clock } = this.#options;
    const { party } = port;
    if (this.#ports.get(party) === port) this.#ports.delete(party);
    if (isSilent) return;
    for (const other of this.#ports.values()) {
      clock.after(delayMs(), () => {
        if (!this.#isOpen(other.party, party)) return;
        other.clock.run('socket', () => other.ended(port, () => !this.#ports.has(party)));
      });
    }
  }

  #dial(from: Port, address: string, link: Link, hello: Hello): void {
    const { network, partyAt } = this.#options;
    const party = partyAt(address);
    if (party === null) return;
    network.packet(from.party, party, () => {
      const to = this.#ports.get(party);
      // Nobody listens where another address leads by now.
      if (to === undefined || partyAt(address) !== party || from.clock.isOver) return;
      to.clock.run('socket', () => {
        const answer = to.dialed(link, from, hello);
        this.#tell(to, from, () => link.answered(to, hello, answer));
      });
    });
  }

  #tell(from: Far, to: Far, action: () => void): void {
    this.#options.network.packet(from.party, to.party, () => to.clock.run('socket', action));
  }

  #send(from: Port, link: Link | null, message: PeerMessage): void {
    const { network, sent, acrossLives, hit } = this.#options;
    const bytes = encodeMessages([message]);
    sent(message, bytes);
    const far = link?.far ?? null;
    if (link === null || far === null) return;
    network.datagram(from.party, far.party, () => {
      const now = this.#ports.get(far.party);
      if (now !== far) {
        this.#reset(from, link, far);
        if (!acrossLives || now === undefined) return;
      }
      now.clock.run('socket', () => {
        if (!now.received(message.from, message.to, bytes)) hit('strangerIgnored');
        else if (now !== far) hit('messageAcrossLives');
      });
    });
  }

  /** A machine that runs does not know a connection of an earlier process. */
  #reset(from: Port, link: Link, far: Far): void {
    const { network, isPowered } = this.#options;
    if (!isPowered(far.party)) return;
    network.packet(far.party, from.party, () => {
      from.clock.run('socket', () => link.hungUp(far));
    });
  }

  #isOpen(one: Party, other: Party): boolean {
    const { network } = this.#options;
    return network.isOpen(one, other) && network.isOpen(other, one);
  }
}
