/** A bar on a terminal; a line now and then elsewhere. */
const lineEveryMs = 10_000;
const redrawEveryMs = 200;
const barWidth = 30;

export class Progress {
  readonly #stream: NodeJS.WriteStream;
  readonly #total: number;
  #done = 0;
  #drawnAtMs = 0;

  constructor(stream: NodeJS.WriteStream, total: number) {
    this.#stream = stream;
    this.#total = total;
  }

  advance(text: () => string): void {
    this.#done++;
    this.show(text);
  }

  /** Says where it stands, without another step. */
  show(text: () => string): void {
    const nowMs = performance.now();
    const isTerminal = this.#stream.isTTY;
    if (nowMs - this.#drawnAtMs < (isTerminal ? redrawEveryMs : lineEveryMs)) return;
    this.#drawnAtMs = nowMs;
    const share = this.#done / this.#total;
    const numbers = `${this.#done} of ${this.#total}, ${text()}`;
    if (!isTerminal) {
      this.#stream.write(`${numbers}\n`);
      return;
    }
    const filled = Math.round(share * barWidth);
    const bar = '█'.repeat(filled) + '░'.repeat(barWidth - filled);
    this.#stream.write(`\r\u001b[K${bar} ${numbers}`);
  }

  /** A line of its own. */
  say(line: string): void {
    if (this.#stream.isTTY) this.#stream.write('\r\u001b[K');
    this.#stream.write(`${line}\n`);
  }

  end(): void {
    if (this.#stream.isTTY) this.#stream.write('\r\u001b[K');
  }
}
