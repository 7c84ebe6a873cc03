/** The changes of one revision in pieces that fit into frames, values from before read as they are due. */
import type { KeyEvent, KeyValue, Revision } from '../mvcc/types.ts';
import type { WatchBatch, WatchedEvent } from './types.ts';
import type { Watched, WatchSource } from './watcher.ts';

/** A change that is larger by itself comes alone. */
const fragmentBytesMax = 1024 * 1024;
/** What a change costs beside its keys and values, at most. */
const eventOverheadBytes = 320;

/**
 * The batches of `events`, all that the revision changed among the watched keys, without the first
 * `offset` of them. Small revisions are one batch. Nothing may be applied before the last one is taken.
 */
export function* fragmentsOf(
  source: WatchSource,
  watched: Watched,
  revision: Revision,
  events: readonly KeyEvent[],
  offset: number,
): Generator<WatchBatch, void> {
  let part: WatchedEvent[] = [];
  let bytes = 0;
  for (let at = offset; at < events.length; at++) {
    const event = events[at] as KeyEvent;
    const { key } = event.pair;
    const previous = watched.previous ? source.before(watched.space, key, revision) : null;
    const size = eventOverheadBytes + bytesOf(event.pair) + bytesOf(previous);
    if (part.length > 0 && bytes + size > fragmentBytesMax) {
      yield { revision, events: part, more: true };
      part = [];
      bytes = 0;
    }
    part.push({ ...event, previous });
    bytes += size;
  }
  yield { revision, events: part, more: false };
}

function bytesOf(pair: KeyValue | null): number {
  return pair === null ? 0 : pair.key.length + pair.value.length;
}
