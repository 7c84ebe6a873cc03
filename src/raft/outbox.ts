import type { Accepted, Dropped, LogRead, Message, ReadState } from './types.ts';

const none: readonly never[] = [];

/** Gathers what leaves with the next Ready. Everything in here may leave at once. */
export class Outbox {
  #messages: Message[] = [];
  #readStates: ReadState[] = [];
  #accepted: Accepted[] = [];
  #dropped: Dropped[] = [];
  #logReads: LogRead[] = [];

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

  readLog(logRead: LogRead): void {
    this.#logReads.push(logRead);
  }

  get isEmpty(): boolean {
    return (
      this.#messages.length === 0 &&
      this.#readStates.length === 0 &&
      this.#accepted.length === 0 &&
      this.#dropped.length === 0 &&
      this.#logReads.length === 0
    );
  }

  /** Hands everything over; arrays that would be empty are one shared constant. */
  drain(): {
    readonly messages: readonly Message[];
    readonly readStates: readonly ReadState[];
    readonly accepted: readonly Accepted[];
    readonly dropped: readonly Dropped[];
    readonly logReads: readonly LogRead[];
  } {
    const drained = {
      messages: this.#messages.length > 0 ? this.#messages : none,
      readStates: this.#readStates.length > 0 ? this.#readStates : none,
      accepted: this.#accepted.length > 0 ? this.#accepted : none,
      dropped: this.#dropped.length > 0 ? this.#dropped : none,
      logReads: this.#logReads.length > 0 ? this.#logReads : none,
    };
    if (this.#messages.length > 0) this.#messages = [];
    if (this.#readStates.length > 0) this.#readStates = [];
    if (this.#accepted.length > 0) this.#accepted = [];
    if (this.#dropped.length > 0) this.#dropped = [];
    if (this.#logReads.length > 0) this.#logReads = [];
    return drained;
  }
}
