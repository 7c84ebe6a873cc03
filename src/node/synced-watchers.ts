/** The watchers that have seen everything, found by the keys that change. */
import type { KeyEvent } from '../mvcc/types.ts';
import type { KeySpaceName } from '../state-machine/types.ts';
import type { Watcher } from './watch-hub.ts';

interface SpaceWatchers {
  readonly byKey: Map<string, Set<Watcher>>;
  readonly ranges: Set<Watcher>;
}

export class SyncedWatchers {
  readonly #spaces: Readonly<Record<KeySpaceName, SpaceWatchers>> = {
    kv: { byKey: new Map(), ranges: new Set() },
    registry: { byKey: new Map(), ranges: new Set() },
  };

  add(watcher: Watcher): void {
    const { byKey, ranges } = this.#spaces[watcher.space];
    const { key, rangeEnd } = watcher.range;
    if (rangeEnd !== null) {
      ranges.add(watcher);
      return;
    }
    const same = byKey.get(key);
    if (same === undefined) byKey.set(key, new Set([watcher]));
    else same.add(watcher);
  }

  delete(watcher: Watcher): void {
    const { byKey, ranges } = this.#spaces[watcher.space];
    ranges.delete(watcher);
    const same = byKey.get(watcher.range.key);
    if (same?.delete(watcher) && same.size === 0) byKey.delete(watcher.range.key);
  }

  /** Who sees which of the events, in the events' order. */
  match(space: KeySpaceName, events: readonly KeyEvent[]): Map<Watcher, KeyEvent[]> {
    const { byKey, ranges } = this.#spaces[space];
    const matched = new Map<Watcher, KeyEvent[]>();
    if (byKey.size === 0 && ranges.size === 0) return matched;
    for (const event of events) {
      for (const watcher of byKey.get(event.pair.key) ?? []) push(matched, watcher, event);
      for (const watcher of ranges) {
        if (contains(watcher.range, event.pair.key)) push(matched, watcher, event);
      }
    }
    return matched;
  }
}

function push(matched: Map<Watcher, KeyEvent[]>, watcher: Watcher, event: KeyEvent): void {
  const events = matched.get(watcher);
  if (events === undefined) matched.set(watcher, [event]);
  else events.push(event);
}

function contains(range: Watcher['range'], key: string): boolean {
  if (key < range.key) return false;
  return range.rangeEnd === '\0' || key < (range.rangeEnd as string);
}
