/** A broken invariant: a bug, never an operating condition. Nothing catches it; the process ends. */
export class AssertionError extends Error {
  override readonly name = 'AssertionError';
}

/**
 * States what must hold. Assertions stay on in production; `message` carries the numbers. Pass a
 * function where building the text would cost more than the check.
 */
export function assert(condition: boolean, message: string | (() => string)): asserts condition {
  if (!condition) throw new AssertionError(typeof message === 'string' ? message : message());
}

/** For the default branch of a switch over a closed union: the compiler proves it is never reached. */
export function unreachable(value: never): never {
  throw new AssertionError(`Unreachable: ${String(value)}`);
}
