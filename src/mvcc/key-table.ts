import type { KeyHistory } from './key-history.ts';
import type { Key } from './types.ts';

const shardCount = 256;
/** Keys differ most at their end; so many characters tell their shards apart. */
const hashedLength = 32;

/**
 * Finds a key's history at once, where the ordered map compares its way down through strings all over
 * the memory. In shards, because a Map that grows moves all it holds: a million keys in one would hold
 * the event loop, a few thousand do not.
 */
export class KeyTable {
  readonly #shards: readonly Map<Key, KeyHistory>[] = Array.from(
    { length: shardCount },
    () => new Map(),
  );

  get(key: Key): KeyHistory | undefined {
    return this.#shard(key).get(key);
  }

  add(history: KeyHistory): void {
    this.#shard(history.key).set(history.key, history);
  }

  remove(history: KeyHistory): void {
    this.#shard(history.key).delete(history.key);
  }

  #shard(key: Key): Map<Key, KeyHistory> {
    const { length } = key;
    let hash = length;
    for (let at = Math.max(0, length - hashedLength); at < length; at++) {
      hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193);
    }
    return this.#shards[(hash ^ (hash >>> 15)) & (shardCount - 1)] as Map<Key, KeyHistory>;
  }
}
