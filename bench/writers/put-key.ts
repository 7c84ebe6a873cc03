/** All that the writers write begins so. */
export const writesPrefix = 'bench/writes/';

export function keyOf(number: number): string {
  return `${writesPrefix}${String(number).padStart(9, '0')}`;
}
