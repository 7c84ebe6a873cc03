import { InvalidArgumentError } from 'commander';
import { limits } from '../base/limits.ts';

/** What a timer of Node can hold, in whole hours. */
const timeoutMsMax = 596 * 3_600_000;

const unitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Milliseconds of `500ms`, `10s`, `1.5m`, `1h`. A number without a unit is refused: it would be a guess. */
export function parseDuration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)([a-z]*)$/.exec(text);
  const [, number = '', unit = ''] = match ?? [];
  if (match === null) {
    throw new InvalidArgumentError(
      'A duration is a number with a unit, such as 500ms, 10s, 2m or 1h.',
    );
  }
  const scale = Object.hasOwn(unitsMs, unit) ? unitsMs[unit] : undefined;
  if (scale === undefined) {
    const said = unit === '' ? 'It has no unit' : `There is no unit "${unit}"`;
    throw new InvalidArgumentError(
      `${said}; write ${number}ms, ${number}s, ${number}m or ${number}h.`,
    );
  }
  const durationMs = Number(number) * scale;
  if (!Number.isSafeInteger(durationMs)) {
    throw new InvalidArgumentError('It is not a whole number of milliseconds.');
  }
  return durationMs;
}

/** How long to wait for an answer. */
export const timeout = durationBetween(1, timeoutMsMax);
export const leaseTtl = durationBetween(limits.leaseTtlMsMin, limits.leaseTtlMsMax);

function durationBetween(minMs: number, maxMs: number): (text: string) => number {
  return (text) => {
    const durationMs = parseDuration(text);
    if (durationMs >= minMs && durationMs <= maxMs) return durationMs;
    throw new InvalidArgumentError(
      `It must be from ${formatDuration(minMs)} to ${formatDuration(maxMs)}.`,
    );
  };
}

/** The shortest exact form: `10s`, `1500ms`. */
export function formatDuration(durationMs: number): string {
  for (const [unit, scale] of [
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1000],
  ] as const) {
    if (durationMs >= scale && durationMs % scale === 0) return `${durationMs / scale}${unit}`;
  }
  return `${Math.round(durationMs)}ms`;
}
