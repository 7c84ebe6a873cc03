/** The groups of watchers, and which of those that are live hear of a change. */
import { IntervalTree } from '../base/interval-tree.ts';
import { boundsOf } from '../mvcc/key-range.ts';
import type { Key, KeyEvent } from '../mvcc/types.ts';
import type { KeySpaceName, RevisionEvents } from '../state-machine/types.ts';
import type { Watched, Watcher, WatchGroup } from './watcher.ts';

/** Groups that differ in what they leave out may have the same range. */
interface LiveGroups {
  readonly byKey: Map<Key, Set<WatchGroup>>;
  readonly byRange: IntervalTree<Set<WatchGroup>>;
}

/**
 * A change finds the groups of its very key at once, and those of ranges by a search that grows with the
 * logarithm of their number. Invariant: exactly the groups with live watchers are found.
 */
export class WatchGroups {
  readonly #groups = new Map<string, WatchGroup>();
  readonly #live: Readonly<Record<KeySpaceName, LiveGroups>> = {
    kv: { byKey: new Map(), byRange: new IntervalTree() },
    registry: { byKey: new Map(), byRange: new IntervalTree() },
  };

  get size(): number {
    return this.#groups.size;
  }

  /** The group of what is watched, with room for one more. To be left by `leave`. */
  join(watched: Watched): WatchGroup {
    const name = nameOf(watched);
    let group = this.#groups.get(name);
    if (group === undefined) {
      group = { ...watched, name, size: 0, live: new Set(), cohorts: new Map() };
      this.#groups.set(name, group);
    }
    group.size++;
    return group;
  }

  leave(group: WatchGroup): void {
    if (--group.size === 0) this.#groups.delete(group.name);
  }

  addLive(watcher: Watcher): void {
    const { group } = watcher;
    group.live.add(watcher);
    if (group.live.size === 1) this.#reveal(group);
  }

  removeLive(watcher: Watcher): void {
    const { group } = watcher;
    if (group.live.delete(watcher) && group.live.size === 0) this.#hide(group);
  }

  /** Calls back with each live group that sees some of the changes, and those, in their order. */
  match(
    { space, events }: RevisionEvents,
    tell: (group: WatchGroup, events: readonly KeyEvent[]) => void,
  ): void {
    const live = this.#live[space];
    if (live.byKey.size === 0 && live.byRange.size === 0) return;
    const matched = new Map<WatchGroup, KeyEvent[]>();
    for (const event of events) {
      const push = (group: WatchGroup): void => {
        if (!isWanted(group, event)) return;
        const known = matched.get(group);
        if (known === undefined) matched.set(group, [event]);
        else known.push(event);
      };
      live.byKey.get(event.pair.key)?.forEach(push);
      live.byRange.stab(event.pair.key, (groups) => groups.forEach(push));
    }
    for (const [group, wanted] of matched) tell(group, wanted);
  }

  #reveal(group: WatchGroup): void {
    const { byKey, byRange } = this.#live[group.space];
    const { from, to } = boundsOf(group);
    const known = group.rangeEnd === null ? byKey.get(group.key) : byRange.get(from, to);
    if (known !== undefined) known.add(group);
    else if (group.rangeEnd === null) byKey.set(group.key, new Set([group]));
    else byRange.set(from, to, new Set([group]));
  }

  #hide(group: WatchGroup): void {
    const { byKey, byRange } = this.#live[group.space];
    const { from, to } = boundsOf(group);
    const known = group.rangeEnd === null ? byKey.get(group.key) : byRange.get(from, to);
    known?.delete(group);
    if (known === undefined || known.size > 0) return;
    if (group.rangeEnd === null) byKey.delete(group.key);
    else byRange.delete(from, to);
  }
}

/** Whether the group does not leave out changes of this kind. */
export function isWanted({ noPut, noDelete }: Watched, { type }: KeyEvent): boolean {
  return type === 'put' ? !noPut : !noDelete;
}

function nameOf({ space, key, rangeEnd, previous, noPut, noDelete }: Watched): string {
  const flags = (previous ? 1 : 0) + (noPut ? 2 : 0) + (noDelete ? 4 : 0);
  // The length tells where the key ends: any byte may stand in it.
  return `${space}${flags}${rangeEnd === null ? '=' : '<'}${key.length}:${key}${rangeEnd ?? ''}`;
}
