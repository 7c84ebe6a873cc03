/**
 * The program's log: for people on a terminal, as JSON lines otherwise. Much of what is logged came
 * from outside, so control characters are made visible and long texts cut: one event stays one line.
 */
import { pino } from 'pino';
import { PinoPretty } from 'pino-pretty';
import type { Log, LogFields } from '../base/log.ts';

export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

export function isLogLevel(text: string): text is LogLevel {
  return (logLevels as readonly string[]).includes(text);
}

export interface LogOptions {
  readonly level: LogLevel;
  /** Stand in every line. */
  readonly fields: LogFields;
  readonly output: NodeJS.WritableStream & { readonly isTTY?: boolean };
}

const textLengthMax = 1024;
const depthMax = 3;

export function createLog({ level, fields, output }: LogOptions): Log {
  const settings = { level, base: { ...fields } };
  const logger = output.isTTY
    ? pino(
        settings,
        PinoPretty({
          destination: output,
          ignore: Object.keys(fields).join(','),
          translateTime: 'SYS:HH:MM:ss.l',
        }),
      )
    : pino({ ...settings, timestamp: pino.stdTimeFunctions.isoTime }, output);
  const write =
    (method: 'debug' | 'info' | 'warn' | 'error') =>
    (details: LogFields, message: string): void => {
      if (logger.isLevelEnabled(method)) logger[method](visible(details, 0), clean(message));
    };
  return {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
  };
}

/** One line of visible characters: controls, line separators and what reverses text are spelled out. */
function clean(text: string): string {
  const shown = text.replace(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for.
    /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return shown.length > textLengthMax ? `${shown.slice(0, textLengthMax)}…` : shown;
}

function visible(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return clean(value);
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Error) return errorFields(value, depth);
  if (depth >= depthMax || value instanceof Uint8Array) return '…';
  if (Array.isArray(value)) return value.slice(0, 100).map((part) => visible(part, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([name, part]) => [clean(name), visible(part, depth + 1)]),
  );
}

function errorFields(error: Error, depth: number): object {
  const { name, message, stack, cause } = error;
  return {
    name,
    message: clean(message),
    stack: stack?.split('\n').slice(1, 9).map(clean),
    ...(cause === undefined || depth >= depthMax ? {} : { cause: visible(cause, depth + 1) }),
  };
}
