/** Tells people of states on their way between members: whose, as of which entry, how much, how long. */
import type { Clock } from '../base/clock.ts';
import type { Log, LogFields } from '../base/log.ts';
import type { Configuration, Index, NodeId } from '../raft/types.ts';

/** One state on its way to another member, or from it. */
export interface Passage {
  readonly peer: NodeId;
  /** As of which entry the state is. */
  readonly index: Index;
  readonly sinceMs: number;
  /** Of keys and values, so far. */
  bytes: number;
}

export class TransferLog {
  readonly #log: Log;
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #configuration: () => Configuration;

  constructor(log: Log, clock: Pick<Clock, 'monotonic'>, configuration: () => Configuration) {
    this.#log = log;
    this.#clock = clock;
    this.#configuration = configuration;
  }

  begin(peer: NodeId, index: Index): Passage {
    return { peer, index, bytes: 0, sinceMs: this.#clock.monotonic() };
  }

  /** The member has the log up to `index`, and this node's log begins later. */
  offered(to: NodeId, index: Index): void {
    const name = this.#nameOf(to);
    this.#log.info(
      { to: name, index },
      `"${name}" needs entries that are gone: a state is offered`,
    );
  }

  sends(passage: Passage): void {
    this.#log.info(this.#sent(passage), `Sends its state to "${this.#nameOf(passage.peer)}"`);
  }

  sent(passage: Passage): void {
    this.#log.info(this.#sent(passage), `"${this.#nameOf(passage.peer)}" was sent the whole state`);
  }

  /** It was not sent as a whole. */
  dropped(passage: Passage): void {
    const name = this.#nameOf(passage.peer);
    this.#log.info(this.#sent(passage), `Sends its state to "${name}" no further`);
  }

  receives(passage: Passage): void {
    const name = this.#nameOf(passage.peer);
    this.#log.info(this.#received(passage), `Receives the state of "${name}"`);
  }

  received(passage: Passage): void {
    const name = this.#nameOf(passage.peer);
    this.#log.info(this.#received(passage), `The state of "${name}" is here, whole and verified`);
  }

  gaveUp(passage: Passage, reason: string): void {
    const name = this.#nameOf(passage.peer);
    const message = `Gives up the receipt of the state of "${name}": ${reason}`;
    this.#log.warn(this.#received(passage), message);
  }

  installed(passage: Passage): void {
    const name = this.#nameOf(passage.peer);
    this.#log.info(this.#received(passage), `The state of "${name}" is in use`);
  }

  needless(passage: Passage): void {
    const name = this.#nameOf(passage.peer);
    this.#log.info(
      this.#received(passage),
      `The state of "${name}" is not used: the log has brought as much`,
    );
  }

  #sent(passage: Passage): LogFields {
    return { to: this.#nameOf(passage.peer), ...this.#measures(passage) };
  }

  #received(passage: Passage): LogFields {
    return { from: this.#nameOf(passage.peer), ...this.#measures(passage) };
  }

  #measures({ index, bytes, sinceMs }: Passage): LogFields {
    return { index, bytes, ms: Math.round(this.#clock.monotonic() - sinceMs) };
  }

  #nameOf(id: NodeId): string {
    return this.#configuration().members.find((member) => member.id === id)?.name ?? id;
  }
}
