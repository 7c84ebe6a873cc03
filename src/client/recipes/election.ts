import { binaryFromBytes } from '../../base/bytes.ts';
import { type ErrorCode, RollcallError } from '../../base/errors.ts';
import type { CallOptions } from '../call.ts';
import type { Value } from '../key.ts';
import type { KeyValue } from '../key-value.ts';
import type { Keys } from '../keys.ts';
import { operation } from '../txn.ts';
import type { WatchBatch } from '../watch-buffer.ts';
import { Holding, type HoldingOptions } from './holding.ts';
import { persist } from './persistence.ts';
import { placesOf, takeTurn } from './place.ts';

/** The history is gone or another one: who leads has to be read again. */
const anewCodes: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['compacted', 'incarnationChanged']);

export interface ObserveOptions {
  /** Ends the iteration. */
  readonly signal?: AbortSignal;
}

/** What an elected leader has until it resigns or loses it. */
export class Leadership extends Holding {
  readonly #keys: Keys;

  /** @internal Leaderships come from `Election.campaign`. */
  constructor(keys: Keys, place: ConstructorParameters<typeof Holding>[1]) {
    super(keys, place);
    this.#keys = keys;
  }

  /** Says another word to all who ask or observe. Rejects with `notHeld` once it is lost. */
  async proclaim(value: Value, options: CallOptions = {}): Promise<{ readonly revision: number }> {
    const success = [operation.put(this.key, value, { ignoreLease: true })];
    const { succeeded, revision } = await this.#keys.txn(
      { compare: [this.guard], success },
      options,
    );
    if (succeeded) return { revision };
    throw new RollcallError('notHeld', `${this.key} does not lead any more`);
  }

  /** Lets the next one lead; as `release`. */
  resign(options: CallOptions = {}): Promise<void> {
    return this.release(options);
  }
}

/**
 * One leader at a time among all that campaign under a name: the one that has waited longest. The contenders are
 * the keys that begin with `name/`, their values what they proclaim, as in etcd's recipe.
 */
export class Election {
  readonly #keys: Keys;
  readonly #name: string;

  /** @internal Elections come from `Client.election`. */
  constructor(keys: Keys, name: string) {
    this.#keys = keys;
    this.#name = name;
  }

  /**
   * Waits until this contender leads, in the order of their coming, and proclaims `value` then. Rejects as
   * `Client.lock` does.
   */
  async campaign(value: Value, options: HoldingOptions = {}): Promise<Leadership> {
    const place = await takeTurn(this.#keys, placesOf(this.#name, 1), value, options);
    return new Leadership(this.#keys, place);
  }

  /** Who leads: its word is the value, its fencing token the `createRevision`. Null where nobody does. */
  async leader(options: CallOptions = {}): Promise<KeyValue | null> {
    const { pairs } = await this.#keys.range(
      { prefix: `${this.#name}/` },
      { sortBy: 'createRevision', limit: 1, ...options },
    );
    return pairs[0] ?? null;
  }

  /**
   * Who leads now, and then each new leader and each new word of one, in order and without a gap while the
   * history is there; null where there is none. Ends with the signal or the client.
   *
   *     for await (const leader of client.election('shard-1').observe()) console.log(leader?.valueText);
   */
  async *observe(options: ObserveOptions = {}): AsyncGenerator<KeyValue | null, undefined> {
    const prefix = `${this.#name}/`;
    let told: KeyValue | null | undefined;
    for (;;) {
      const standing = await this.#contenders(prefix, options.signal);
      if (standing === null) return;
      const { contenders, revision } = standing;
      const leader = first(contenders);
      if (isNews(told, leader)) yield leader;
      told = leader;
      try {
        const watch = this.#keys.watch({ prefix }, { ...options, startRevision: revision + 1 });
        for await (const batch of watch) {
          note(contenders, batch);
          const next = first(contenders);
          if (isNews(told, next)) yield next;
          told = next;
        }
        return;
      } catch (error) {
        if (!(error instanceof RollcallError) || !anewCodes.has(error.code)) throw error;
      }
    }
  }

  /** Null when the signal or the client has ended it. */
  async #contenders(
    prefix: string,
    signal: AbortSignal | undefined,
  ): Promise<{ readonly revision: number; readonly contenders: Map<string, KeyValue> } | null> {
    const call = signal === undefined ? {} : { signal };
    try {
      const { revision, pairs } = await persist(this.#keys, signal, () =>
        this.#keys.getPrefix(prefix, call),
      );
      return { revision, contenders: new Map(pairs.map((pair) => [nameOf(pair), pair])) };
    } catch (error) {
      const isEnd = error instanceof RollcallError && ['cancelled', 'closed'].includes(error.code);
      if (isEnd) return null;
      throw error;
    }
  }
}

function note(contenders: Map<string, KeyValue>, { events }: WatchBatch): void {
  for (const { type, pair } of events) {
    if (type === 'put') contenders.set(nameOf(pair), pair);
    else contenders.delete(nameOf(pair));
  }
}

function nameOf({ key }: KeyValue): string {
  return binaryFromBytes(key);
}

function first(contenders: ReadonlyMap<string, KeyValue>): KeyValue | null {
  let found: KeyValue | null = null;
  for (const pair of contenders.values()) {
    if (found === null || pair.createRevision < found.createRevision) found = pair;
  }
  return found;
}

function isNews(told: KeyValue | null | undefined, leader: KeyValue | null): boolean {
  if (told === undefined) return true;
  return (
    told?.modRevision !== leader?.modRevision || told?.createRevision !== leader?.createRevision
  );
}
