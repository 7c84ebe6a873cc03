import type { StopSignal, Terminal } from '../../src/cli/terminal.ts';

/** A terminal whose output is kept, and whose signals come from the test. */
export class FakeTerminal implements Terminal {
  readonly environment: { readonly ROLLCALL_ENDPOINTS?: string };
  interactive = false;
  warnsPeople = false;
  input: readonly Uint8Array[] = [];
  warned = '';
  exited: number | null = null;
  readonly #printed: Uint8Array[] = [];
  readonly #listeners = new Set<(signal: StopSignal) => void>();
  readonly #outputClosed = new AbortController();
  #waiting: { readonly pattern: RegExp; readonly done: () => void }[] = [];

  constructor(endpoints: readonly string[] = []) {
    this.environment = endpoints.length === 0 ? {} : { ROLLCALL_ENDPOINTS: endpoints.join(',') };
  }

  get outputClosed(): AbortSignal {
    return this.#outputClosed.signal;
  }

  get printed(): string {
    return Buffer.concat(this.#printed).toString();
  }

  get printedBytes(): Uint8Array {
    return Buffer.concat(this.#printed);
  }

  /** Each line of the output as JSON. */
  get documents(): readonly unknown[] {
    return this.printed
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));
  }

  async *readInput(): AsyncGenerator<Uint8Array> {
    yield* this.input;
  }

  print(text: string | Uint8Array): void {
    this.#printed.push(typeof text === 'string' ? Buffer.from(text) : text);
    this.#look();
  }

  drained(): Promise<void> {
    return Promise.resolve();
  }

  warn(text: string): void {
    this.warned += text;
    this.#look();
  }

  onSignal(listener: (signal: StopSignal) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  exit(code: number): void {
    this.exited ??= code;
  }

  signal(signal: StopSignal): void {
    for (const listener of [...this.#listeners]) listener(signal);
  }

  closeOutput(): void {
    this.#outputClosed.abort();
  }

  /** Resolves once the output, or what was warned of, matches. */
  shows(pattern: RegExp): Promise<void> {
    return new Promise((done) => {
      this.#waiting.push({ pattern, done });
      this.#look();
    });
  }

  #look(): void {
    const text = this.printed + this.warned;
    const matched = this.#waiting.filter(({ pattern }) => pattern.test(text));
    this.#waiting = this.#waiting.filter((waiting) => !matched.includes(waiting));
    for (const { done } of matched) done();
  }
}
