/** The middle of a list; of an even number of values the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  const upper = sorted[Math.floor(sorted.length / 2)] ?? 0;
  const lower = sorted[Math.ceil(sorted.length / 2) - 1] ?? 0;
  return (lower + upper) / 2;
}

/** How far apart the rounds are, as a share of their median: the noise of the machine. */
export function spread(values: readonly number[]): number | null {
  const middle = median(values);
  if (values.length < 2 || middle === 0) return null;
  return (Math.max(...values) - Math.min(...values)) / middle;
}

/** Of ascending values the least that at least this share of all do not exceed; 0 of none. */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;
}
