/** From the times of the writes around a fault to what the fault cost. No clock in here. */

/** When a write was sent and when its acknowledgement came, in milliseconds of one clock. */
export interface Acknowledgement {
  readonly sentMs: number;
  readonly cameMs: number;
}

export interface Measurement {
  /** From the signal to the first acknowledgement of a write that was sent after it. */
  readonly nextWriteMs: number;
  /** The longest time between two acknowledgements, the last one before the signal included. */
  readonly gapMs: number;
  /** Writes that failed or may have, from the signal on. */
  readonly failures: number;
  readonly firstFailure: string | null;
}

/**
 * `acknowledgements` are in their order: one from before the signal, and all from then on. Null when
 * nothing that was sent after the signal is among them.
 */
export function timesAround(
  signalMs: number,
  acknowledgements: readonly Acknowledgement[],
): Pick<Measurement, 'nextWriteMs' | 'gapMs'> | null {
  const next = acknowledgements.find(({ sentMs }) => sentMs >= signalMs);
  if (next === undefined) return null;
  let gapMs = 0;
  let beforeMs = acknowledgements[0]?.cameMs ?? 0;
  for (const { cameMs } of acknowledgements) {
    gapMs = Math.max(gapMs, cameMs - beforeMs);
    beforeMs = cameMs;
  }
  return { nextWriteMs: next.cameMs - signalMs, gapMs };
}
