import type { Answer, AnsweredEvent, OpenWatch } from './step.ts';

/** The events of one watch as they come in. */
export class EventList implements OpenWatch {
  readonly events: AnsweredEvent[] = [];
  end: Answer | null = null;
  readonly #close: () => void;
  #waiting: { readonly revision: number; readonly done: () => void }[] = [];

  constructor(close: () => void) {
    this.#close = close;
  }

  add(event: AnsweredEvent): void {
    this.events.push(event);
    this.#look();
  }

  ended(end: Answer): void {
    this.end ??= end;
    this.#look();
  }

  reaches(revision: number): Promise<void> {
    return new Promise((done) => {
      this.#waiting.push({ revision, done });
      this.#look();
    });
  }

  close(): void {
    this.#close();
  }

  #look(): void {
    const seen = this.events.at(-1)?.pair.modRevision ?? 0;
    const isOver = ({ revision }: { readonly revision: number }) =>
      this.end !== null || revision <= seen;
    for (const { done } of this.#waiting.filter(isOver)) done();
    this.#waiting = this.#waiting.filter((one) => !isOver(one));
  }
}
