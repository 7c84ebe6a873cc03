/**
 * JSON for programs: one document per line. Keys and values are text where their bytes are UTF-8;
 * otherwise `keyBase64` or `valueBase64` stands in place of `key` or `value`.
 */
import type { KeyValue, WatchBatch } from '../client/index.ts';

const strictDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export function jsonLine(document: unknown): string {
  return `${JSON.stringify(document)}\n`;
}

/** `{name: text}` or `{nameBase64: …}`. */
export function textOrBase64(name: string, bytes: Uint8Array): Readonly<Record<string, string>> {
  try {
    return { [name]: strictDecoder.decode(bytes) };
  } catch {
    return { [`${name}Base64`]: Buffer.from(bytes).toString('base64') };
  }
}

/** A pair without its value. */
export function keyDocument({
  key,
  createRevision,
  modRevision,
  version,
  leaseId,
}: KeyValue): object {
  return { ...textOrBase64('key', key), createRevision, modRevision, version, leaseId };
}

export function pairDocument(pair: KeyValue): object {
  const { createRevision, modRevision, version, leaseId } = pair;
  return {
    ...textOrBase64('key', pair.key),
    ...textOrBase64('value', pair.value),
    createRevision,
    modRevision,
    version,
    leaseId,
  };
}

/** With `withPrevious` each event tells what there was before, or null. */
export function batchDocument(batch: WatchBatch, withPrevious = false): object {
  const events = batch.events.map(({ type, pair, previous }) => {
    const event = { type, ...pairDocument(pair) };
    if (!withPrevious) return event;
    return { ...event, previous: previous === null ? null : pairDocument(previous) };
  });
  return { revision: batch.revision, events };
}
