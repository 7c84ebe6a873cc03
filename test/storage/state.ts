/** States that are a function of the index they stand at, and what tests do with them. */
import type { EntryId, Index } from '../../src/format/types.ts';
import type { Staging, Storage, StoredRecord } from '../../src/storage/types.ts';
import { configuration, headerAt } from './machine.ts';

/** The records of the state at an index: some change with it, come and go. */
export function stateAt(index: Index): Map<string, Uint8Array> {
  const records = new Map<string, Uint8Array>();
  for (let at = 0; at < 12 && index > 0; at++) {
    if ((index + at) % 5 > 0) records.set(`k${at}`, new Uint8Array(40 + at).fill(index + at));
  }
  return records;
}

/** Applies everything up to an entry: afterwards the overlay is the state there. */
export function applyUpTo(storage: Storage, { term, index }: EntryId): void {
  const state = stateAt(index);
  for (let at = 0; at < 12; at++) storage.overlay.write(`k${at}`, state.get(`k${at}`) ?? null);
  storage.applied(() => headerAt(index, term));
}

export async function recordsOf(
  pages: AsyncIterable<readonly StoredRecord[]>,
): Promise<Map<string, Uint8Array>> {
  const records = new Map<string, Uint8Array>();
  for await (const page of pages) for (const [key, bytes] of page) records.set(key, bytes);
  return records;
}

/** Receives the state at an entry, whole. */
export async function receiveState(storage: Storage, { term, index }: EntryId): Promise<Staging> {
  const staging = await storage.stage(headerAt(index, term));
  const records = [...stateAt(index)].sort(([left], [right]) => (left < right ? -1 : 1));
  await staging.write(records.slice(0, 5));
  await staging.write(records.slice(5));
  await staging.finish();
  return staging;
}

/** The append that installs a state. */
export function snapshotOf(last: EntryId) {
  return { last, configuration };
}
