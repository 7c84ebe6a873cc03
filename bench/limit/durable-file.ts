/**
 * The least that a log must do: bytes go into a preallocated file and are durable once `fdatasync`
 * has returned. What arrives while a write is under way is written together as the next one. The
 * file is overwritten from its start when it is full; nothing ever reads it.
 */
import { fdatasync, fsyncSync, openSync, write, writeSync } from 'node:fs';

const fileBytes = 64 * 1024 * 1024;

export class DurableFile {
  readonly #descriptor: number;
  #offset = 0;
  #isWriting = false;
  #waiting: Uint8Array[] = [];
  #waitingDone: (() => void)[] = [];

  constructor(path: string) {
    this.#descriptor = openSync(path, 'w');
    const zeros = Buffer.alloc(1024 * 1024);
    for (let at = 0; at < fileBytes; at += zeros.length) writeSync(this.#descriptor, zeros);
    fsyncSync(this.#descriptor);
  }

  append(bytes: Uint8Array, done: () => void): void {
    this.#waiting.push(bytes);
    this.#waitingDone.push(done);
    if (!this.#isWriting) this.#writeNext();
  }

  #writeNext(): void {
    const [first] = this.#waiting;
    const bytes = this.#waiting.length === 1 && first ? first : Buffer.concat(this.#waiting);
    const done = this.#waitingDone;
    this.#waiting = [];
    this.#waitingDone = [];
    this.#isWriting = true;
    if (this.#offset + bytes.length > fileBytes) this.#offset = 0;
    write(this.#descriptor, bytes, 0, bytes.length, this.#offset, (writeError) => {
      if (writeError) throw writeError;
      fdatasync(this.#descriptor, (syncError) => {
        if (syncError) throw syncError;
        this.#isWriting = false;
        for (const call of done) call();
        if (this.#waiting.length > 0 && !this.#isWriting) this.#writeNext();
      });
    });
    this.#offset += bytes.length;
  }
}
