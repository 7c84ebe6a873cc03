import type { Hello } from './hello.ts';
import { type Lane, lanes } from './lanes.ts';
import { OutgoingLane, type Target } from './outgoing-lane.ts';
import type { PeerContext } from './peer-context.ts';

/** The lanes to one peer. Before birth only the control lane is there, for the handshake. */
export class Link {
  #target: Target;
  readonly lanes: Readonly<Partial<Record<Lane, OutgoingLane>>>;
  /** Who answered on the control lane, while it is connected. */
  hello: Hello | null = null;

  /** `greeted` hears who answers on the control lane. */
  constructor(
    context: PeerContext,
    target: Target,
    isBorn: boolean,
    greeted: (hello: Hello) => void,
  ) {
    this.#target = target;
    const open = (lane: Lane): OutgoingLane =>
      new OutgoingLane(context, target, lane, (hello) => {
        if (lane !== 'control') return;
        this.hello = hello;
        if (hello !== null) greeted(hello);
      });
    const needed = isBorn ? lanes : lanes.filter((lane) => lane === 'control');
    this.lanes = Object.fromEntries(needed.map((lane) => [lane, open(lane)]));
  }

  get memberId(): string | null {
    return this.#target.memberId;
  }

  /** Whether it is the same peer, wherever it is now. */
  leadsTo({ memberId, name, addresses }: Target): boolean {
    const own = this.#target;
    if (own.memberId !== null || memberId !== null) return own.memberId === memberId;
    return own.name === name && own.addresses[0] === addresses[0];
  }

  retarget(target: Target): void {
    this.#target = target;
    for (const lane of Object.values(this.lanes)) lane.retarget(target);
  }

  /** The peer lives: it is worth to dial it now. */
  wake(): void {
    for (const lane of Object.values(this.lanes)) lane.wake();
  }

  keepAlive(): void {
    for (const lane of Object.values(this.lanes)) lane.keepAlive();
  }

  close(): void {
    for (const lane of Object.values(this.lanes)) lane.close();
  }
}
