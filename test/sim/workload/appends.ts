/**
 * Tokens that are appended to one value, on the condition that it still is as it was read. Who is told
 * that the condition did not hold, or that nothing happened, tries again with the same token: where that
 * was not true, because an earlier copy of the write has happened, the token is there twice.
 */
import { RollcallError } from '../../../src/base/errors.ts';
import { compare, operation } from '../../../src/client/txn.ts';
import type { Revision } from '../checks/history.ts';
import { changesOnly, reading } from './registers.ts';
import type { Session } from './session.ts';

const key = 'a/log';

/** `none`: it surely was not appended so far. */
type Fate = 'appended' | 'none' | 'doubtful';

export class Appends {
  readonly #fates = new Map<string, Fate>();

  async use(session: Session): Promise<void> {
    while (!session.isStopped) {
      const token = session.mark();
      this.#fates.set(token, 'none');
      while (!session.isStopped && this.#fates.get(token) === 'none') {
        await this.#append(session, token);
      }
      await session.think();
    }
  }

  /** Null, or which token is not there as often as it should be. */
  check(history: readonly Revision[]): string | null {
    const counts = new Map<string, number>();
    const changes = history.flatMap((revision) => revision.changes);
    const value = changes.findLast((change) => change.key === key)?.after?.value ?? '';
    for (const token of value.split(' ')) counts.set(token, (counts.get(token) ?? 0) + 1);
    for (const [token, fate] of this.#fates) {
      const count = counts.get(token) ?? 0;
      const least = fate === 'appended' ? 1 : 0;
      const most = fate === 'none' ? 0 : 1;
      if (count < least || count > most) return `${token}, ${fate}, is in the log ${count} times`;
    }
    return null;
  }

  async #append(session: Session, token: string): Promise<void> {
    const { client } = session;
    const seen = await client.get(key).catch(ignoreExpected);
    if (seen === undefined) return;
    const value = seen === null ? token : `${seen.valueText} ${token}`;
    const condition =
      seen === null
        ? compare.version(key, 'equal', 0)
        : compare.modRevision(key, 'equal', seen.modRevision);
    const answer = await session.perform({ text: `append ${token}`, marks: [value] }, async () => {
      const { revision, succeeded } = await client.txn({
        compare: [condition],
        success: [operation.put(key, value)],
      });
      if (!succeeded) return reading(revision, () => null);
      this.#fates.set(token, 'appended');
      const verify = (moment: Parameters<typeof changesOnly>[0]): string | null =>
        changesOnly(moment, new Map([[key, value]]));
      return { revision, changed: true, verify };
    });
    if (answer instanceof RollcallError && !answer.definite) this.#fates.set(token, 'doubtful');
  }
}

/** Undefined when it cannot be read at the moment. */
function ignoreExpected(error: unknown): undefined {
  if (error instanceof RollcallError) return undefined;
  throw error;
}
