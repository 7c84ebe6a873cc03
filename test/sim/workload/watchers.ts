/** Watches that follow one node, or any: each must tell exactly what the history holds for it. */
import { RollcallError } from '../../../src/base/errors.ts';
import type { Random } from '../../../src/base/prng.ts';
import type { KeySelector } from '../../../src/client/key.ts';
import type { WatchBatch } from '../../../src/client/watch-buffer.ts';
import { type Change, equalPairs, type Revision, show } from '../checks/history.ts';
import { chance, pick } from '../random.ts';
import { pairOf, pairOrNull, type Session } from './session.ts';

const prefixes = ['', 'r/', 't/', 'l/'] as const;
/** Of the changes that a watch wants alone; half of them want all. */
const kinds = [null, null, 'put', 'delete'] as const;
const bookmarkMs = 1000;

/** What it asks for beside its keys. */
interface Wishes {
  readonly previous: boolean;
  /** The kind of changes that it wants alone; null: both. */
  readonly only: 'put' | 'delete' | null;
  /** To be told how far it is. */
  readonly progress: boolean;
}

export class Watcher {
  readonly name: string;
  readonly #session: Session;
  readonly #prefix: string;
  readonly #wishes: Wishes;
  readonly #revisions: Revision[] = [];
  /** The newest revision up to which it was said to know everything. */
  #bookmark = 0;
  #start: number;

  private constructor(session: Session, prefix: string, wishes: Wishes, start: number) {
    this.name = session.name;
    this.#session = session;
    this.#prefix = prefix;
    this.#wishes = wishes;
    this.#start = start;
  }

  /** A number: all keys from that revision on. */
  static begin(session: Session, random: Random, from: 'start' | 'anywhere' | number): Watcher {
    if (typeof from === 'number') {
      const watcher = new Watcher(
        session,
        '',
        { previous: false, only: null, progress: false },
        from,
      );
      void watcher.#follow();
      return watcher;
    }
    const revision = session.world.observer.revisionTimes.newest;
    const start =
      from === 'start' ? 1 : pick(random, [0, 1, Math.max(1, revision - 20), revision + 30]);
    const prefix = from === 'start' ? '' : pick(random, prefixes);
    const previous = from === 'start' || chance(random, 0.5);
    const only = from === 'start' ? null : pick(random, kinds);
    // One that leaves changes out may have no other way to say that it has missed nothing.
    const progress = only !== null || (from === 'anywhere' && chance(random, 0.5));
    const watcher = new Watcher(session, prefix, { previous, only, progress }, start);
    if (start > 0 && start <= revision) session.world.hit('watchFromPast');
    if (start > revision) session.world.hit('watchFromFuture');
    void watcher.#follow();
    return watcher;
  }

  get last(): number {
    return this.#revisions.at(-1)?.revision ?? 0;
  }

  /** It was told of everything up to this revision, as far as that concerns it and it can be told. */
  isAt(revision: number): boolean {
    const known = Math.max(this.last, this.#bookmark);
    return known >= revision || this.#start > revision || !this.#session.isServed;
  }

  get revisions(): readonly Revision[] {
    return this.#revisions;
  }

  /** Null, or what is wrong with what it was told up to `last`. */
  check(history: readonly Revision[], last: number): string | null {
    const due = this.#session.isServed ? last : Math.max(this.last, this.#bookmark);
    const expected = history
      .map((revision) => this.#mine(revision))
      .filter(({ revision, changes }) => changes.length > 0 && revision <= due);
    for (const [at, revision] of expected.entries()) {
      const told = this.#revisions[at];
      const wrong = this.#differs(revision, told);
      if (wrong !== null) return `The watch of ${this.name} from ${this.#start}: ${wrong}`;
    }
    const extra = this.#revisions[expected.length]?.revision ?? this.#bookmark;
    const isBeyond = this.#revisions.length > expected.length || this.#bookmark > last;
    return isBeyond ? `${this.name} was told of ${extra}, beyond ${last}` : null;
  }

  async #follow(): Promise<void> {
    const { client, world } = this.#session;
    const selector: KeySelector = { prefix: this.#prefix };
    const { previous, only, progress } = this.#wishes;
    const watch = client.watch(selector, {
      ...{ previous, progress, progressMs: bookmarkMs },
      ...(this.#start === 0 ? {} : { startRevision: this.#start }),
      ...(only === null ? {} : { only }),
    });
    try {
      if (this.#start === 0) this.#start = (await watch.ready()) + 1;
      for await (const batch of watch) this.#take(batch);
    } catch (error) {
      if (!(error instanceof RollcallError)) throw error;
      if (error.code !== 'closed') {
        world.violate(`The watch of ${this.name} ended with ${error.code}: ${error.message}`);
      }
    }
  }

  #take({ revision, events }: WatchBatch): void {
    const { world } = this.#session;
    const known = Math.max(this.last, this.#bookmark);
    if (revision <= known) {
      world.violate(`The watch of ${this.name} was told of ${revision} after ${known}`);
    }
    world.trace.mix(revision);
    if (events.length === 0) {
      this.#marked(revision);
      return;
    }
    if (events.length > 1) world.hit('watchSplitRevision');
    const changes = events.map(({ type, pair, previous }) => ({
      key: pair.keyText,
      after: type === 'put' ? pairOf(pair) : null,
      before: pairOrNull(previous),
    }));
    this.#revisions.push({ revision, changes });
  }

  #marked(revision: number): void {
    this.#session.world.hit('watchBookmarked');
    this.#bookmark = revision;
  }

  #mine({ revision, changes }: Revision): Revision {
    if (revision < this.#start) return { revision, changes: [] };
    return { revision, changes: changes.filter((change) => this.#wants(change)) };
  }

  #wants({ key, after }: Change): boolean {
    const { only } = this.#wishes;
    if (only !== null && (only === 'put') !== (after !== null)) return false;
    return key.startsWith(this.#prefix);
  }

  #differs(expected: Revision, told: Revision | undefined): string | null {
    if (told === undefined) return `it was never told of revision ${expected.revision}`;
    if (told.revision !== expected.revision) {
      return `it was told of ${told.revision} where ${expected.revision} was due`;
    }
    const wrong = expected.changes.findIndex((change, at) => {
      return !equalChanges(change, told.changes[at], this.#wishes.previous);
    });
    if (wrong === -1 && told.changes.length === expected.changes.length) return null;
    const change = expected.changes[Math.max(wrong, 0)];
    return `revision ${told.revision} made ${change?.key} ${show(change?.after ?? null)}, and that was not what it was told`;
  }
}

function equalChanges(left: Change, right: Change | undefined, previous: boolean): boolean {
  return (
    right !== undefined &&
    left.key === right.key &&
    equalPairs(left.after, right.after) &&
    equalPairs(previous ? left.before : null, right.before)
  );
}
