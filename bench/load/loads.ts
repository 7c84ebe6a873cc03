/** What is asked of every system: one operation from a number of connections. */

export type Operation = 'put' | 'get';

export interface Load {
  readonly name: string;
  readonly operation: Operation;
  readonly connections: number;
  /** Requests that each connection keeps open at a time. */
  readonly outstanding: number;
  /** The least ratio to etcd's rate that the project promises. */
  readonly etcdRatioMin: number | null;
  /** The least ratio to the limit's rate that the project promises. */
  readonly limitRatioMin: number | null;
}

function load(
  operation: Operation,
  [connections, outstanding]: readonly [number, number],
  [etcdRatioMin, limitRatioMin]: readonly [number | null, number | null],
): Load {
  const name = `${operation}-${connections}${outstanding === 1 ? '' : `x${outstanding}`}`;
  return { name, operation, connections, outstanding, etcdRatioMin, limitRatioMin };
}

export const loads: readonly Load[] = [
  load('put', [1, 1], [1.2, null]),
  load('put', [50, 1], [5, 0.5]),
  load('put', [500, 1], [2.5, 0.5]),
  load('put', [10, 100], [null, 0.5]),
  load('get', [1, 1], [2, null]),
  load('get', [50, 1], [3, 0.5]),
  load('get', [500, 1], [3, 0.5]),
  load('get', [10, 100], [null, 0.5]),
];

export const keySpace = 10_000;
export const valueBytes = 256;

/** Keys of 20 bytes: all of the same length, so that a request can be patched in place. */
export const keyPrefix = 'bench/keys/item-';
export const keyDigits = 4;

export function keyOf(number: number): string {
  return `${keyPrefix}${String(number).padStart(keyDigits, '0')}`;
}
