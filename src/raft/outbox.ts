import type {
  Accepted,
  Dropped,
  LogRead,
  Message,
  ReadState,
  Ready,
  Refused,
  SnapshotMetadata,
  SnapshotOffer,
} from './types.ts';

type Drained = Omit<Ready, 'softState' | 'append' | 'committedEntries'>;

const none: readonly never[] = [];

/** Gathers what leaves with the next Ready. Everything in here may leave at once. */
export class Outbox {
  #messages: Message[] = [];
  #readStates: ReadState[] = [];
  #accepted: Accepted[] = [];
  #dropped: Dropped[] = [];
  #refused: Refused[] = [];
  #logReads: LogRead[] = [];
  #snapshotOffer: SnapshotOffer | null = null;
  #restored: SnapshotMetadata | null = null;

  readonly send = (message: Message): void => {
    this.#messages.push(message);
  };

  answerReads(readStates: readonly ReadState[]): void {
    for (const readState of readStates) this.#readStates.push(readState);
  }

  accept(accepted: Accepted): void {
    this.#accepted.push(accepted);
  }

  drop(dropped: Dropped): void {
    this.#dropped.push(dropped);
  }

  refuse(refused: Refused): void {
    this.#refused.push(refused);
  }

  readLog(logRead: LogRead): void {
    this.#logReads.push(logRead);
  }

  /** The newest offer says all that the ones before said. */
  offerSnapshot(offer: SnapshotOffer): void {
    this.#snapshotOffer = offer;
  }

  /** The newest state goes beyond the ones before. */
  restore(snapshot: SnapshotMetadata): void {
    this.#restored = snapshot;
  }

  get isEmpty(): boolean {
    return (
      this.#messages.length === 0 &&
      this.#readStates.length === 0 &&
      this.#accepted.length === 0 &&
      this.#dropped.length === 0 &&
      this.#refused.length === 0 &&
      this.#logReads.length === 0 &&
      this.#snapshotOffer === null &&
      this.#restored === null
    );
  }

  /** Hands everything over; arrays that would be empty are one shared constant. */
  drain(): Drained {
    const drained = {
      messages: this.#messages.length > 0 ? this.#messages : none,
      readStates: this.#readStates.length > 0 ? this.#readStates : none,
      accepted: this.#accepted.length > 0 ? this.#accepted : none,
      dropped: this.#dropped.length > 0 ? this.#dropped : none,
      refused: this.#refused.length > 0 ? this.#refused : none,
      logReads: this.#logReads.length > 0 ? this.#logReads : none,
      snapshotOffer: this.#snapshotOffer,
      restored: this.#restored,
    };
    if (this.#messages.length > 0) this.#messages = [];
    if (this.#readStates.length > 0) this.#readStates = [];
    if (this.#accepted.length > 0) this.#accepted = [];
    if (this.#dropped.length > 0) this.#dropped = [];
    if (this.#refused.length > 0) this.#refused = [];
    if (this.#logReads.length > 0) this.#logReads = [];
    this.#snapshotOffer = null;
    this.#restored = null;
    return drained;
  }
}
