/**
 * Room on the disk. A disk that is full is no failure as long as nothing was begun: what needs room
 * waits for it, and all clears by itself. Writes that were begun and find no room do fail, since what
 * they have left behind is unknown.
 */
import type { Clock, Timer } from '../base/clock.ts';
import { RollcallError } from '../base/errors.ts';
import type { Files } from './types.ts';

const lookAgainMs = 500;

export class Space {
  readonly #files: Files;
  readonly #clock: Clock;
  readonly #waiting = new Set<{ readonly timer: Timer; readonly goOn: () => void }>();
  #isClosed = false;

  constructor(files: Files, clock: Clock) {
    this.#files = files;
    this.#clock = clock;
  }

  /** Whether something waits for room. */
  get isShort(): boolean {
    return this.#waiting.size > 0;
  }

  /** Resolves once there is room for so many bytes. Rejects with `closed` when it was given up. */
  async wait(bytes: number): Promise<void> {
    while ((await this.#files.freeBytes()) < bytes) await this.pause();
  }

  /** Some time in which people or others may make room. */
  async pause(): Promise<void> {
    if (!this.#isClosed) {
      await new Promise<void>((resolve) => {
        const goOn = (): void => {
          this.#waiting.delete(waiting);
          resolve();
        };
        const waiting = { timer: this.#clock.after(lookAgainMs, goOn), goOn };
        this.#waiting.add(waiting);
      });
    }
    if (this.#isClosed) throw new RollcallError('closed', 'The storage was closed');
  }

  /** Rejects with `storageFailed`, reason `full`, when there is no room for so many bytes. */
  async demand(bytes: number): Promise<void> {
    if ((await this.#files.freeBytes()) >= bytes) return;
    throw new RollcallError('storageFailed', `The disk has no room for ${bytes} bytes`, {
      details: { reason: 'full' },
    });
  }

  /** Nothing waits any longer. */
  close(): void {
    this.#isClosed = true;
    for (const { timer, goOn } of [...this.#waiting]) {
      timer.cancel();
      goOn();
    }
  }
}

/** Whether the storage was closed while this waited. */
export function gaveUpWaiting(error: unknown): boolean {
  return error instanceof RollcallError && error.code === 'closed';
}
