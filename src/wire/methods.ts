/**
 * The methods of `rollcall.v1` with their parameters, which are checked by these schemas before anything
 * else sees them. Keys are **binary strings** also on the wire (msgpack `str`, one
 * character of 0–255 per byte); values are msgpack `bin`; 64-bit ids are 16 hexadecimal digits.
 */

import { RollcallError } from '../base/errors.ts';
import { isName, limits } from '../base/limits.ts';
import {
  array,
  boolean,
  type Infer,
  integer,
  invalid,
  matching,
  nullable,
  object,
  oneOf,
  optional,
  pair,
  type Schema,
  tagged,
  text,
} from './schema.ts';

const id = matching(/^(?!0{16})[0-9a-f]{16}$/, 'an id of 16 hexadecimal digits, not all 0');
const noParameters = object({});

const key: Schema<string> = (value, path) => {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: any byte may stand in a key.
  if (typeof value !== 'string' || value === '' || !/^[\x00-\xff]*$/.test(value)) {
    throw invalid(path, 'at least one byte, as a binary string');
  }
  if (value.length > limits.keyBytesMax) {
    throw new RollcallError(
      'keyTooLong',
      `${path} has ${value.length} bytes, at most ${limits.keyBytesMax} allowed`,
    );
  }
  return value;
};

const value: Schema<Uint8Array> = (bytes, path) => {
  if (!(bytes instanceof Uint8Array)) throw invalid(path, 'bytes');
  if (bytes.length > limits.valueBytesMax) {
    throw new RollcallError(
      'valueTooLarge',
      `${path} has ${bytes.length} bytes, at most ${limits.valueBytesMax} allowed`,
    );
  }
  return bytes;
};

const name: Schema<string> = (given, path) => {
  if (typeof given !== 'string' || !isName(given)) {
    throw invalid(path, 'a name: 1 to 128 of a-z 0-9 . _ -, first a letter or digit');
  }
  return given;
};

const ttlMs = integer(limits.leaseTtlMsMin, limits.leaseTtlMsMax);
const revision = optional(integer(0), 0);
const rangeEnd = optional(nullable(key), null);
const requestId = integer(1, 0xffffffff);
/** More often would be news of nothing. */
const progressMs: Schema<number> = (value, path) =>
  value === 0 ? 0 : integer(limits.watchProgressMsMin, limits.watchProgressMsMax)(value, path);

const putFields = {
  key,
  /** Empty with `ignoreValue`, as the lease is null with `ignoreLease`. */
  value,
  leaseId: optional(nullable(id), null),
  previous: optional(boolean, false),
  ignoreValue: optional(boolean, false),
  ignoreLease: optional(boolean, false),
};
const deleteFields = { key, rangeEnd, previous: optional(boolean, false) };
const rangeFields = {
  key,
  rangeEnd,
  revision,
  limit: optional(integer(0), 0),
  keysOnly: optional(boolean, false),
  countOnly: optional(boolean, false),
  sortBy: optional(oneOf('key', 'version', 'createRevision', 'modRevision', 'value'), 'key'),
  order: optional(oneOf('ascend', 'descend'), 'ascend'),
  minModRevision: revision,
  maxModRevision: revision,
  minCreateRevision: revision,
  maxCreateRevision: revision,
};

const compareFields = { key, rangeEnd, operator: oneOf('equal', 'notEqual', 'less', 'greater') };
const compare = tagged('target', {
  value: object({ ...compareFields, value }),
  version: object({ ...compareFields, number: integer(0) }),
  createRevision: object({ ...compareFields, number: integer(0) }),
  modRevision: object({ ...compareFields, number: integer(0) }),
  lease: object({ ...compareFields, leaseId: nullable(id) }),
});

export interface WireTxn {
  readonly compares: readonly Infer<typeof compare>[];
  readonly success: readonly WireOperation[];
  readonly failure: readonly WireOperation[];
}
export type WireOperation =
  | ({ readonly type: 'put' } & Infer<typeof put>)
  | ({ readonly type: 'delete' } & Infer<typeof deleteRange>)
  | ({ readonly type: 'range' } & Infer<typeof rangeOperation>)
  | ({ readonly type: 'txn' } & WireTxn);

/** The same error as for too many over all branches, which the transaction's own check counts. */
function steps<T>(step: Schema<T>): Schema<readonly T[]> {
  const most = limits.transactionOperationsMax;
  const parse = array(step, most);
  return (given, path) => {
    if (Array.isArray(given) && given.length > most) {
      const message = `${path} has ${given.length} operations, at most ${most} allowed`;
      throw new RollcallError('tooManyOperations', message);
    }
    return parse(given, path);
  };
}

const put = object(putFields);
const deleteRange = object(deleteFields);
const rangeOperation = object(rangeFields);

// The depth is bounded by the frame scan, the number of operations by the transaction's own check.
const operation: Schema<WireOperation> = (given, path) => anyOperation(given, path);
const operations = steps(operation);
const txn: Schema<WireTxn> = object({
  compares: optional(steps(compare), []),
  success: optional(operations, []),
  failure: optional(operations, []),
});
const anyOperation: Schema<WireOperation> = tagged('type', {
  put,
  delete: deleteRange,
  range: rangeOperation,
  txn,
});

const serviceFields = { namespace: optional(name, 'default'), service: name };
/** Serializable reads: answered by any node that has applied `minRevision`, without asking the others. */
const freshness = { serializable: optional(boolean, false), minRevision: revision };

const instance = object({
  id: name,
  address: matching(
    /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]{1,253}):([1-9][0-9]{0,4})$/,
    'an address HOST:PORT',
  ),
  tags: optional(array(text(128, 1), 64), []),
  metadata: optional(array(pair(text(128, 1), text(1024)), 64), []),
});

export const methods = {
  put,
  delete: deleteRange,
  txn,
  /** With `counted` false the `count` may end with the answer. */
  range: object({ ...rangeFields, ...freshness, counted: optional(boolean, true) }),
  /** Of the kv space. Answered once the floor is there; `status` tells how far the removal has come. */
  compact: object({ revision: integer(1) }),
  leaseGrant: object({ leaseId: optional(nullable(id), null), ttlMs }),
  leaseRevoke: object({ leaseId: id }),
  leaseKeepAlive: object({ leaseIds: array(id, 10_000) }),
  /** In pages: `after` is the last key, or lease, of the page before. */
  leaseTimeToLive: object({
    leaseId: id,
    keys: optional(boolean, false),
    after: optional(nullable(key), null),
  }),
  leaseList: object({ after: optional(nullable(id), null), limit: optional(integer(0), 0) }),
  /** With `replace` false it is refused while the instance stands there with another living owner. */
  register: object({
    ...serviceFields,
    instance,
    leaseId: optional(nullable(id), null),
    replace: optional(boolean, true),
  }),
  /** With a lease it is refused unless the instance has this lease. */
  deregister: object({ ...serviceFields, id: name, leaseId: optional(nullable(id), null) }),
  /** A session under which writes are done once, however often they are sent: see the frame's requests. */
  sessionOpen: noParameters,
  sessionRenew: object({ sessionId: id, acknowledgedThrough: integer(0) }),
  sessionClose: object({ sessionId: id }),
  discover: object({ ...serviceFields, ...freshness }),
  services: object({ namespace: optional(name, 'default'), ...freshness }),
  memberList: noParameters,
  /** Names or ids of members; a node to take in has to ask for it (`server --join`). */
  memberAdd: object({ name, autoPromote: optional(boolean, true) }),
  memberReplace: object({ member: name, by: name }),
  memberPromote: object({ member: name }),
  memberRemove: object({ member: name }),
  transferLeadership: object({ to: optional(nullable(name), null) }),
  status: noParameters,
  /**
   * A stream: `created`, then `events` and `progress`, until an error or `cancel`. `startRevision` 0 is "from
   * now"; `noPut` and `noDelete` leave changes out; `progressMs` (0, or from one second on) says after
   * how long without an event a bookmark comes. A node that has not seen `minRevision` waits a moment and
   * refuses then; one of another `incarnation` refuses at once.
   */
  watch: object({
    key,
    rangeEnd,
    startRevision: revision,
    previous: optional(boolean, false),
    noPut: optional(boolean, false),
    noDelete: optional(boolean, false),
    progressMs: optional(progressMs, 0),
    minRevision: revision,
    incarnation: optional(nullable(id), null),
  }),
  /** Asks the watch that the request `id` of the same connection began for a bookmark. */
  watchProgress: object({ id: requestId }),
  /** A stream: the whole `view` first, then its `changes`. */
  watchService: object({ ...serviceFields, minRevision: revision }),
  /**
   * A stream: the bytes of a backup file, then a result. At most `window` items come before the client
   * permits more of them.
   */
  snapshot: object({ ...freshness, window: integer(1, 64) }),
  /** Lets the snapshot that the request `id` of the same connection began send so many items more. */
  permit: object({ id: requestId, items: integer(1, 64) }),
  /** Ends the stream that the request `id` of the same connection began. */
  cancel: object({ id: requestId }),
} as const;

export type Method = keyof typeof methods;
export type Parameters<M extends Method> = Infer<(typeof methods)[M]>;

/** Whose effect a repetition would have again: requests that may say which write of a session they are. */
export const sessionMethods: ReadonlySet<Method> = new Set<Method>([
  'put',
  'delete',
  'txn',
  'leaseGrant',
  'leaseRevoke',
  'register',
  'deregister',
  'compact',
]);
