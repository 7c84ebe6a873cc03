/** The bytes of what watches are told, made once for all who are told the same. */
import type { WatchBatch } from '../node/types.ts';
import { encodeBody } from '../wire/frame.ts';
import { eventsOf } from './answers.ts';

const encoded = new WeakMap<WatchBatch, Uint8Array>();

/** Of the same batch object the same bytes, which nobody may change. */
export function encodedEvents(batch: WatchBatch): Uint8Array {
  const known = encoded.get(batch);
  if (known !== undefined) return known;
  const bytes = encodeBody(eventsOf(batch));
  encoded.set(batch, bytes);
  return bytes;
}
