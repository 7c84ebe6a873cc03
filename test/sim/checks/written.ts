/**
 * In which entries the values of clients stand. A member that says of a write that it surely did not
 * happen is held to that word at once: no log may hold an entry with it that can still be committed. To
 * wait until one is committed against all odds would show such a word to be wrong far too seldom.
 */
import type { ErrorCode } from '../../../src/base/errors.ts';
import type { Operation } from '../../../src/mvcc/types.ts';
import type { Request } from '../../../src/node/types.ts';
import type { Entry, EntryId } from '../../../src/raft/types.ts';
import { decodeCommandEntry } from '../../../src/state-machine/command-codec.ts';
import type { Command } from '../../../src/state-machine/types.ts';

export interface Place extends EntryId {
  /** Of the log up to the entry. */
  readonly chain: number;
}

/** Refusals that are no outcome of a command: it was never begun, or another entry took its place. */
const fates: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'closed',
  'leadershipLost',
  'noLeader',
  'notLeader',
  'timeout',
  'tooManyRequests',
]);

const none: readonly Place[] = [];
const text = new TextDecoder();

export class Written {
  readonly #places = new Map<string, Place[]>();

  /** To be called once for each entry, when a log first has it. */
  entered(entry: Entry, chain: number): void {
    if (entry.type !== 'command') return;
    const place = { term: entry.term, index: entry.index, chain };
    for (const { command } of decodeCommandEntry(entry.command).commands) {
      for (const value of valuesOf(command)) {
        const places = this.#places.get(value);
        if (places === undefined) this.#places.set(value, [place]);
        else places.push(place);
      }
    }
  }

  placesOf(value: string): readonly Place[] {
    return this.#places.get(value) ?? none;
  }
}

/** Whether a definite error of this code means that no entry with the write will ever be applied. */
export function deniesEntry(code: ErrorCode): boolean {
  return fates.has(code);
}

/** What the request or command would put. */
export function valuesOf(command: Request | Command): readonly string[] {
  return command.type === 'put' || command.type === 'txn' ? valuesOfOperation(command) : [];
}

function valuesOfOperation(operation: Operation): readonly string[] {
  if (operation.type === 'put') return [text.decode(operation.value)];
  if (operation.type !== 'txn') return [];
  return [...operation.success, ...operation.failure].flatMap(valuesOfOperation);
}
