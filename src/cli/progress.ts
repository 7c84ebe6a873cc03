import type { Terminal } from './terminal.ts';

const tellMs = 200;
const mebi = 1024 * 1024;

/** Bytes and rate of what takes its time, on a line of its own, where standard error is a terminal. */
export class Progress {
  readonly #terminal: Terminal;
  readonly #beganMs = performance.now();
  #bytes = 0;
  #toldMs = Number.NEGATIVE_INFINITY;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  add(bytes: number): void {
    this.#bytes += bytes;
    const nowMs = performance.now();
    if (!this.#terminal.warnsPeople || nowMs - this.#toldMs < tellMs) return;
    this.#toldMs = nowMs;
    const seconds = Math.max(0.001, (nowMs - this.#beganMs) / 1000);
    const rate = this.#bytes / mebi / seconds;
    this.#terminal.warn(`\r${bytesText(this.#bytes)}, ${rate.toFixed(1)} MiB/s\u001b[K`);
  }

  /** Takes the line away. */
  end(): void {
    if (this.#terminal.warnsPeople) this.#terminal.warn('\r\u001b[K');
  }
}

export function bytesText(bytes: number): string {
  return bytes < mebi ? `${bytes} bytes` : `${(bytes / mebi).toFixed(1)} MiB`;
}
