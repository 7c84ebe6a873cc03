import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { isatty } from 'node:tty';

export const stopSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
export type StopSignal = (typeof stopSignals)[number];

/** All that commands see of the process they run in, so that they run inside another as well. */
export interface Terminal {
  readonly environment: { readonly ROLLCALL_ENDPOINTS?: string | undefined };
  /** Whether the user types Ctrl-C to the whole process group. */
  readonly interactive: boolean;
  /** Whether standard error is a terminal, where a line may be written anew. */
  readonly warnsPeople: boolean;
  /** Standard input, as it comes. */
  readInput(): AsyncIterable<Uint8Array>;
  /** To standard output. */
  print(text: string | Uint8Array): void;
  /** Resolves when standard output takes more, or nobody reads it any more. */
  drained(): Promise<void>;
  /** To standard error. */
  warn(text: string): void;
  /** Aborted once nobody reads standard output any more. */
  readonly outputClosed: AbortSignal;
  /**
   * Signals that would otherwise end the process; returns the way to stop listening. A hangup is one only
   * while a standard stream is a terminal: Node undoes at every start what nohup has done, but not that
   * its streams lead elsewhere.
   */
  onSignal(listener: (signal: StopSignal) => void): () => void;
  /** Ends the process at once. */
  exit(code: number): void;
}

/** The terminal of this process. */
export function processTerminal(): Terminal {
  const closed = new AbortController();
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // `rollcall watch … | head -1` ends without a complaint, and so does what a closed terminal ran.
    if (error.code === 'EPIPE' || error.code === 'EIO') {
      closed.abort();
      return;
    }
    process.stderr.write(`error: output: ${error.message}\n`);
    process.exit(1);
  });
  // Nobody is left to be told.
  process.stderr.on('error', () => {});
  const hasTerminal = [0, 1, 2].some(isatty);
  const input: Readable & { isTTY?: boolean } = process.stdin;
  return {
    environment: process.env,
    interactive: input.isTTY === true,
    warnsPeople: isatty(2),
    readInput: () => process.stdin,
    print: (text) => {
      if (!closed.signal.aborted) process.stdout.write(text);
    },
    drained: () => drained(closed.signal),
    warn: (text) => {
      process.stderr.write(text);
    },
    outputClosed: closed.signal,
    onSignal: (listener) => {
      const heard = (signal: StopSignal): void => {
        if (signal !== 'SIGHUP' || hasTerminal) listener(signal);
      };
      for (const signal of stopSignals) process.on(signal, heard);
      return () => {
        for (const signal of stopSignals) process.off(signal, heard);
      };
    },
    exit: (code) => process.exit(code),
  };
}

async function drained(closed: AbortSignal): Promise<void> {
  if (closed.aborted || !process.stdout.writableNeedDrain) return;
  // A reader that goes away ends the wait by the signal.
  await once(process.stdout, 'drain', { signal: closed }).catch(() => {});
}
