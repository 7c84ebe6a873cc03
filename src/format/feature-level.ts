/**
 * What may stand in the log and in the state, as one number for the whole cluster. A program knows all
 * levels up to its own; a cluster is at the highest that all of its members have known, and begins to
 * write what a level brings only once it is there. So versions of Rollcall can be mixed while the members
 * are replaced one after the other, and nobody meets what it cannot read.
 *
 *     1   the first formats
 *     2   registry commands with a condition; sessions; a new incarnation; reports of full disks and of
 *         states on their way between others; levels beyond 1
 *
 * Whoever adds a kind of command or of message, or a version of one, adds a level here, and says in
 * state-machine/command-level or format/node-message from which level on it is used.
 */
import { RollcallError } from '../base/errors.ts';

/** The highest level that this program knows. */
export const featureLevel = 2;

/** Where every cluster begins; a raise is the first thing in the log of one that knows more. */
export const firstFeatureLevel = 1;

/** Throws `formatTooNew` for what a newer program wrote. `what` begins the message. */
export function expectFeatureLevel(found: number, known: number, what: string): void {
  if (found <= known) return;
  throw new RollcallError(
    'formatTooNew',
    `${what} is of feature level ${found}, and this program knows ${known} at most: ` +
      'start a newer version of Rollcall',
  );
}
