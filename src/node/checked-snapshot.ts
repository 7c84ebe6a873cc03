import { PassingCheck } from '../state-machine/passing-check.ts';
import type { StateSnapshot } from '../storage/types.ts';

type Read = Awaited<ReturnType<StateSnapshot['read']>>;

/**
 * A pinned state that is checked on its way out, once it was read to its end: the last read throws
 * `dataDamaged` when what was given out is not the state of the header. Whoever takes it could find that
 * out as well, but would not know whose disk is at fault, and ask for the same again.
 */
export class CheckedSnapshot implements StateSnapshot {
  readonly #snapshot: StateSnapshot;
  readonly #check = new PassingCheck();
  /** Everything up to this key was looked at. */
  #through = '';

  constructor(snapshot: StateSnapshot) {
    this.#snapshot = snapshot;
  }

  get header(): StateSnapshot['header'] {
    return this.#snapshot.header;
  }

  async read(after: string | null, bytesMax: number): Promise<Read> {
    const read = await this.#snapshot.read(after, bytesMax);
    // What was lost on the way is read again. Nobody can ask for what he has not heard of.
    for (const [key, bytes] of read.records) {
      if (key <= this.#through) continue;
      this.#check.take(key, bytes);
      this.#through = key;
    }
    if (read.done) this.#check.finish(this.header);
    return read;
  }

  close(): Promise<void> {
    return this.#snapshot.close();
  }
}
