import { damagedState } from '../base/damage.ts';
import type { Hash64 } from '../base/hash.ts';
import type { Session, Sessions } from '../lease/sessions.ts';
import type { RecordStore } from './record-store.ts';
import {
  isInline,
  type SessionRecord,
  type SessionResultRecord,
  sessionKey,
  sessionResultKey,
  writeSessionRecord,
  writeSessionResultRecord,
} from './session-codec.ts';
import type { SessionId } from './types.ts';

/** Results that are written or compared between two pauses, or somewhat more. */
const resultsPerStep = 1024;

/** What is stored of one session: the hashes of its records, to take them out of the digest again. */
interface Stored {
  hash: Hash64;
  /** By sequence: results that have a record of their own. Null while there is none. */
  results: Map<number, Hash64> | null;
}

/**
 * Keeps the records of sessions as the sessions are. They change with every command, so what has
 * changed is only noted, and written at the end of the entry: then one small record stands for all
 * that the entry did under a session.
 */
export class SessionRecords {
  readonly #sessions: Sessions;
  readonly #store: RecordStore;
  readonly #stored = new Map<SessionId, Stored>();
  readonly #changed = new Set<SessionId>();
  /** Results whose records are still to be loaded. */
  #missing = 0;

  constructor(sessions: Sessions, store: RecordStore) {
    this.#sessions = sessions;
    this.#store = store;
  }

  changed(id: SessionId): void {
    this.#changed.add(id);
  }

  /** The end of an entry, with pauses: each of its commands may be of another session with many results. */
  *writeSteps(): Generator<undefined, void> {
    let work = 0;
    for (const id of this.#changed) {
      const session = this.#sessions.get(id);
      if (session === null) continue;
      if (work >= resultsPerStep) {
        yield;
        work = 0;
      }
      this.#write(session);
      work += 1 + session.results.size;
    }
    this.#changed.clear();
  }

  /** Removes the session with its records; returns how many there were. */
  remove(id: SessionId): number {
    this.#sessions.remove(id);
    const stored = this.#stored.get(id);
    if (stored === undefined) return 0;
    this.#stored.delete(id);
    this.#store.delete(sessionKey(id), stored.hash);
    const results = stored.results ?? [];
    for (const [sequence, hash] of results) {
      this.#store.delete(sessionResultKey(id, sequence), hash);
    }
    return 1 + (stored.results?.size ?? 0);
  }

  load(record: SessionRecord | SessionResultRecord, hash: Hash64): void {
    if (record.type === 'session') this.#loadSession(record, hash);
    else this.#loadResult(record, hash);
  }

  /** Throws `dataDamaged` when a record of a result is missing. */
  finishLoad(): void {
    if (this.#missing === 0) return;
    throw damagedState(`${this.#missing} results of sessions are missing`);
  }

  #write(session: Session): void {
    const { id } = session;
    const hash = this.#store.write(sessionKey(id), (writer) => writeSessionRecord(writer, session));
    const stored = this.#stored.get(id);
    if (stored === undefined) {
      this.#stored.set(id, { hash, results: null });
    } else {
      this.#store.forget(stored.hash);
      stored.hash = hash;
    }
    this.#writeResults(session);
  }

  #writeResults({ id, results }: Session): void {
    const stored = this.#stored.get(id) as Stored;
    const known = stored.results;
    for (const [sequence, hash] of known ?? []) {
      if (results.has(sequence)) continue;
      known?.delete(sequence);
      this.#store.delete(sessionResultKey(id, sequence), hash);
    }
    for (const [sequence, result] of results) {
      if (isInline(result) || known?.has(sequence)) continue;
      const key = sessionResultKey(id, sequence);
      const hash = this.#store.write(key, (writer) => writeSessionResultRecord(writer, result));
      stored.results ??= new Map();
      stored.results.set(sequence, hash);
    }
    if (stored.results?.size === 0) stored.results = null;
  }

  #loadSession({ sessionId, state, results }: SessionRecord, hash: Hash64): void {
    if (this.#sessions.has(sessionId)) throw damagedState(`Session ${sessionId} is there twice`);
    this.#sessions.add(sessionId, state);
    this.#stored.set(sessionId, { hash, results: null });
    for (const { sequence, ...result } of results) {
      this.#sessions.keep(sessionId, sequence, result);
      if (result.bytes.length === 0) this.#missing++;
    }
  }

  #loadResult({ sessionId, sequence, bytes }: SessionResultRecord, hash: Hash64): void {
    const result = this.#sessions.get(sessionId)?.results.get(sequence);
    const stored = this.#stored.get(sessionId);
    if (stored === undefined || result === undefined || result.bytes.length > 0) {
      throw damagedState(`Session ${sessionId} has no large result ${sequence}`);
    }
    this.#sessions.keep(sessionId, sequence, { revision: result.revision, bytes });
    stored.results ??= new Map();
    stored.results.set(sequence, hash);
    this.#missing--;
  }
}
