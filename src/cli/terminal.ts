import type { Readable, Writable } from 'node:stream';

export type StopSignal = 'SIGINT' | 'SIGTERM' | 'SIGHUP';

/** All that commands see of the process they run in, so that they run inside another as well. */
export interface Terminal {
  readonly environment: { readonly ROLLCALL_ENDPOINTS?: string | undefined };
  /** Whether the user types Ctrl-C to the whole process group. */
  readonly interactive: boolean;
  /** To standard output. */
  print(text: string | Uint8Array): void;
  /** To standard error. */
  warn(text: string): void;
  /** Aborted once nobody reads standard output any more. */
  readonly outputClosed: AbortSignal;
  /** Signals that would otherwise end the process; returns the way to stop listening. */
  onSignal(listener: (signal: StopSignal) => void): () => void;
  /** Ends the process at once. */
  exit(code: number): void;
}

const stopSignals: readonly StopSignal[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** The terminal of this process. */
export function processTerminal(): Terminal {
  const closed = new AbortController();
  ignoreBrokenPipe(process.stdout, () => closed.abort());
  ignoreBrokenPipe(process.stderr, () => {});
  const input: Readable & { isTTY?: boolean } = process.stdin;
  return {
    environment: process.env,
    interactive: input.isTTY === true,
    print: (text) => {
      if (!closed.signal.aborted) process.stdout.write(text);
    },
    warn: (text) => {
      process.stderr.write(text);
    },
    outputClosed: closed.signal,
    onSignal: (listener) => {
      for (const signal of stopSignals) process.on(signal, listener);
      return () => {
        for (const signal of stopSignals) process.off(signal, listener);
      };
    },
    exit: (code) => process.exit(code),
  };
}

/** `rollcall watch … | head -1` ends without a complaint. */
function ignoreBrokenPipe(stream: Writable, closed: () => void): void {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    closed();
  });
}
