/**
 * The frames of `rollcall.v1`.
 *
 *     client → server   [[id, method, params?, [sessionId, sequence, acknowledgedThrough]?], …]
 *     server → client   [[clusterId, incarnation, memberId, term], [[id, kind, body], …]]
 *
 * What several streams of a connection are told alike is one item with all of their ids in place of one.
 * Requests and items are encoded one by one and joined, so that a sender knows what fits into a frame
 * and can share the bytes of what it tells everybody. Whatever arrives malformed is a RollcallError:
 * `malformedFrame` or `frameTooLarge`; nothing else is ever thrown by the decoders.
 */
import { isId } from '../base/bytes.ts';
import { RollcallError } from '../base/errors.ts';
import { limits } from '../base/limits.ts';
import { pack, unpack } from './pack.ts';
import type { ScanBounds } from './scan.ts';

export const subprotocol = 'rollcall.v1';

const requestBounds: ScanBounds = { itemsMax: 100_000, depthMax: 32 };
// Answers come from a node that the client chose, and a range may hold tens of thousands of pairs.
const answerBounds: ScanBounds = { itemsMax: 1_000_000, depthMax: 64 };

/** The largest request id; 0 stands for what the server says unasked. */
export const requestIdMax = 0xffffffff;

export interface WireRequest {
  readonly id: number;
  readonly method: string;
  /** Unchecked; an empty object when the client left it out. */
  readonly params: unknown;
  /** Null when the client left it out. */
  readonly session: WireSession | null;
}

/** Under which session of its client, and as the how manieth write of it, a write is to be done once. */
export interface WireSession {
  readonly sessionId: string;
  /** From 1 on. */
  readonly sequence: number;
  /** The answers to all writes up to this one have arrived. Less than `sequence`. */
  readonly acknowledgedThrough: number;
}

/** Stands in front of every server frame. Before the node's birth cluster id and incarnation are empty. */
export interface ServerHeader {
  readonly clusterId: string;
  readonly incarnation: string;
  readonly memberId: string;
  readonly term: number;
}

/** How an item relates to its request. */
export const itemKinds = { result: 0, error: 1, item: 2 } as const;
export type ItemKind = (typeof itemKinds)[keyof typeof itemKinds];

export interface ServerItem {
  /** 0 for the node's own status. */
  readonly id: number;
  readonly kind: ItemKind;
  /** Unchecked. */
  readonly body: unknown;
}

export interface ServerFrame {
  readonly header: ServerHeader;
  readonly items: readonly ServerItem[];
}

export function encodeRequest(
  id: number,
  method: string,
  params?: unknown,
  session: WireSession | null = null,
): Uint8Array {
  if (session === null) return pack(params === undefined ? [id, method] : [id, method, params]);
  const { sessionId, sequence, acknowledgedThrough } = session;
  return pack([id, method, params ?? {}, [sessionId, sequence, acknowledgedThrough]]);
}

/** One frame of encoded requests. */
export function joinRequests(requests: readonly Uint8Array[]): Uint8Array {
  return join([], requests);
}

export function decodeRequests(bytes: Uint8Array): readonly WireRequest[] {
  checkSize(bytes, limits.clientFrameBytesMax);
  return elements(unpack(bytes, requestBounds), 'The frame').map(decodeRequest);
}

export function encodeHeader(header: ServerHeader): Uint8Array {
  return pack([header.clusterId, header.incarnation, header.memberId, header.term]);
}

export function encodeItem(id: number, kind: ItemKind, body: unknown): Uint8Array {
  return pack([id, kind, body]);
}

/** The body of an item that several streams are told, on one connection or on many. */
export function encodeBody(body: unknown): Uint8Array {
  return pack(body);
}

/** What an item with encoded body has beside it, at most, without ids; and what each id adds, at most. */
export const sharedItemOverhead = { bytes: 8, bytesPerId: 5 } as const;

/** An item for all of these ids, whose body is already encoded. */
export function encodeSharedItem(
  ids: readonly number[],
  kind: ItemKind,
  body: Uint8Array,
): Uint8Array {
  const front = pack(ids.length === 1 ? ids[0] : ids);
  const bytes = new Uint8Array(front.length + body.length + 2);
  bytes[0] = 0x93;
  bytes.set(front, 1);
  bytes[front.length + 1] = kind;
  bytes.set(body, front.length + 2);
  return bytes;
}

/** What a server frame adds to its header and items. */
export const serverFrameOverhead = 6;

/** One frame of an encoded header and encoded items. */
export function joinServerFrame(header: Uint8Array, items: readonly Uint8Array[]): Uint8Array {
  return join([0x92, header], items);
}

export function decodeServerFrame(bytes: Uint8Array): ServerFrame {
  checkSize(bytes, limits.serverFrameBytesMax);
  const [header, items, ...rest] = elements(unpack(bytes, answerBounds), 'The frame');
  if (rest.length > 0) throw malformed('The frame is not a header with items');
  return {
    header: decodeHeader(header),
    items: elements(items, 'The items').flatMap(decodeItem),
  };
}

function decodeRequest(value: unknown): WireRequest {
  const [id, method, params = {}, session, ...rest] = elements(value, 'A request');
  if (!isWhole(id) || id < 1 || id > requestIdMax) {
    throw malformed(`A request's id is not a whole number from 1 to ${requestIdMax}`);
  }
  if (typeof method !== 'string' || rest.length > 0) {
    throw malformed(`Request ${id} is not an id, a method, parameters and a session`);
  }
  return { id, method, params, session: session === undefined ? null : decodeSession(session) };
}

function decodeSession(value: unknown): WireSession {
  const [sessionId, sequence, acknowledgedThrough, ...rest] = elements(value, 'A session');
  if (
    typeof sessionId !== 'string' ||
    !isId(sessionId) ||
    !isWhole(sequence) ||
    !isWhole(acknowledgedThrough) ||
    acknowledgedThrough >= sequence ||
    rest.length > 0
  ) {
    throw malformed('A session is not an id and two numbers, the second below the first');
  }
  return { sessionId, sequence, acknowledgedThrough };
}

function decodeHeader(value: unknown): ServerHeader {
  const [clusterId, incarnation, memberId, term, ...rest] = elements(value, 'The header');
  if (
    typeof clusterId !== 'string' ||
    typeof incarnation !== 'string' ||
    typeof memberId !== 'string' ||
    !isWhole(term) ||
    rest.length > 0
  ) {
    throw malformed('The header is not three ids and a term');
  }
  return { clusterId, incarnation, memberId, term };
}

/** An item for several ids becomes one for each, with the same body. */
function decodeItem(value: unknown): ServerItem | ServerItem[] {
  const [id, kind, body, ...rest] = elements(value, 'An item');
  if (rest.length > 0) throw malformed('An item has more than an id, a kind and a body');
  if (kind !== itemKinds.result && kind !== itemKinds.error && kind !== itemKinds.item) {
    throw malformed('An item is of no known kind');
  }
  if (isStreamId(id)) return { id, kind, body };
  if (!Array.isArray(id) || !id.every(isStreamId)) throw malformed('An item has no id');
  return id.map((one) => ({ id: one, kind, body }));
}

function isStreamId(value: unknown): value is number {
  return isWhole(value) && value <= requestIdMax;
}

function elements(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw malformed(`${what} is not an array`);
  return value;
}

function isWhole(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function checkSize(bytes: Uint8Array, bytesMax: number): void {
  if (bytes.length <= bytesMax) return;
  throw new RollcallError(
    'frameTooLarge',
    `The frame has ${bytes.length} bytes, at most ${bytesMax} allowed`,
  );
}

/** `front`, then an array of `parts`; all of it already encoded. */
function join(front: readonly (number | Uint8Array)[], parts: readonly Uint8Array[]): Uint8Array {
  let length = 5;
  for (const part of front) length += typeof part === 'number' ? 1 : part.length;
  for (const part of parts) length += part.length;
  const bytes = new Uint8Array(length);
  let at = 0;
  const append = (part: Uint8Array): void => {
    bytes.set(part, at);
    at += part.length;
  };
  for (const part of front) {
    if (typeof part === 'number') bytes[at++] = part;
    else append(part);
  }
  at = arrayHeader(bytes, at, parts.length);
  for (const part of parts) append(part);
  return bytes.subarray(0, at);
}

function arrayHeader(bytes: Uint8Array, at: number, length: number): number {
  if (length < 16) {
    bytes[at] = 0x90 | length;
    return at + 1;
  }
  bytes[at] = 0xdd;
  new DataView(bytes.buffer).setUint32(at + 1, length);
  return at + 5;
}

function malformed(message: string): RollcallError {
  return new RollcallError('malformedFrame', message);
}
