/** etcd's JSON in the form of our answers. Fields that are zero are missing in it. */
import type { ErrorCode } from '../../src/base/errors.ts';
import type { Operation, TxnOperation } from '../../src/mvcc/types.ts';
import type { Answer, AnsweredEvent, AnsweredPair, Step } from './step.ts';

/** All fields that any answer has, of which each has some. */
export interface Json {
  readonly error?: string | Json;
  readonly message?: string;
  readonly header?: Json;
  readonly result?: Json;
  readonly revision?: string;
  readonly ID?: string;
  readonly TTL?: string;
  readonly grantedTTL?: string;
  readonly leases?: readonly Json[];
  readonly keys?: readonly string[];
  readonly kvs?: readonly Json[];
  readonly kv?: Json;
  readonly prev_kv?: Json;
  readonly prev_kvs?: readonly Json[];
  readonly count?: string;
  readonly more?: boolean;
  readonly deleted?: string;
  readonly succeeded?: boolean;
  readonly responses?: readonly Json[];
  readonly response_put?: Json;
  readonly response_delete_range?: Json;
  readonly response_range?: Json;
  readonly response_txn?: Json;
  readonly key?: string;
  readonly value?: string;
  readonly create_revision?: string;
  readonly mod_revision?: string;
  readonly version?: string;
  readonly lease?: string;
  readonly events?: readonly Json[];
  readonly type?: string;
  readonly canceled?: boolean;
  readonly compact_revision?: string;
  readonly cancel_reason?: string;
}

/** The texts by which clients tell etcd's errors apart, and what they are called here. */
const errors: Readonly<Record<string, ErrorCode>> = {
  'etcdserver: key is not provided': 'invalidArgument',
  'etcdserver: value is provided': 'invalidArgument',
  'etcdserver: lease is provided': 'invalidArgument',
  'etcdserver: key not found': 'keyNotFound',
  'etcdserver: too many operations in txn request': 'tooManyOperations',
  'etcdserver: duplicate key given in txn request': 'duplicateKey',
  'etcdserver: mvcc: required revision has been compacted': 'compacted',
  'etcdserver: mvcc: required revision is a future revision': 'futureRevision',
  'etcdserver: requested lease not found': 'leaseNotFound',
  'etcdserver: lease already exists': 'leaseExists',
  'mvcc: watcher range is empty': 'invalidArgument',
};

export function answerOf(step: Step, json: Json): Answer {
  const failed = json.error;
  if (failed !== undefined) return failure(messageOf(json));
  switch (step.type) {
    case 'range':
    case 'put':
    case 'delete':
    case 'txn':
      return { revision: revisionOf(json), ...resultOf(step, json) };
    case 'leaseGrant':
      return { leaseId: leaseOf(json.ID), ttlSeconds: number(json.TTL) };
    case 'leaseRevoke':
    case 'compact':
      return { revision: revisionOf(json) };
    case 'leaseKeepAlive': {
      const ttlSeconds = number(json.result?.TTL);
      return ttlSeconds === 0 ? failureOf('leaseNotFound') : { ttlSeconds };
    }
    case 'leaseTimeToLive':
      if (number(json.TTL) === -1) return failureOf('leaseNotFound');
      return {
        grantedSeconds: number(json.grantedTTL),
        keys: (json.keys ?? []).map(binary).sort(),
      };
    case 'leaseList':
      return {
        leaseIds: (json.leases ?? []).map((one) => leaseOf(one.ID)).sort(),
      };
  }
}

export function eventsOf(json: Json): {
  readonly events: readonly AnsweredEvent[];
  readonly end: Answer | null;
} {
  const result = json.result;
  if (result === undefined) return { events: [], end: failure(messageOf(json)) };
  const events = (result.events ?? []).map((one) => eventOf(one));
  if (result.canceled !== true) return { events, end: null };
  const compactRevision = number(result.compact_revision);
  const end =
    compactRevision > 0
      ? { ...failureOf('compacted'), compactRevision }
      : failure(String(result.cancel_reason));
  return { events, end };
}

function eventOf(event: Json): AnsweredEvent {
  const previous = event.prev_kv;
  return {
    type: event.type === 'DELETE' ? 'delete' : 'put',
    pair: pairOf(event.kv ?? {}),
    previous: previous === undefined ? null : pairOf(previous),
  };
}

function resultOf(operation: Operation | Step, json: Json): Answer {
  switch (operation.type) {
    case 'range': {
      const pairs = (json.kvs ?? []).map((one) => pairOf(one));
      return { pairs, count: number(json.count), more: json.more === true };
    }
    case 'put': {
      const previous = json.prev_kv;
      return { previous: previous === undefined ? null : pairOf(previous) };
    }
    case 'delete': {
      const previous = (json.prev_kvs ?? []).map((one) => pairOf(one));
      return { deleted: number(json.deleted), previous };
    }
    case 'txn':
      return txnOf(operation, json);
    default:
      throw new Error(`A transaction has no ${operation.type}`);
  }
}

function txnOf(operation: TxnOperation, json: Json): Answer {
  const succeeded = json.succeeded === true;
  const taken = succeeded ? operation.success : operation.failure;
  const fields = {
    put: 'response_put',
    delete: 'response_delete_range',
    range: 'response_range',
    txn: 'response_txn',
  } as const;
  const responses = json.responses ?? [];
  const results = taken.map((one, at) => {
    const response = responses[at];
    return resultOf(one, response?.[fields[one.type]] ?? {});
  });
  return { succeeded, results };
}

function pairOf(json: Json): AnsweredPair {
  return {
    key: binary(json.key ?? ''),
    value: Buffer.from(String(json.value ?? ''), 'base64').toString('hex'),
    createRevision: number(json.create_revision),
    modRevision: number(json.mod_revision),
    version: number(json.version),
    leaseId: json.lease === undefined ? null : leaseOf(json.lease),
  };
}

function revisionOf(json: Json): number {
  return number(json.header?.revision);
}

function failure(text: string): Answer {
  const code = errors[text];
  return code === undefined ? { error: text } : failureOf(code);
}

function failureOf(error: ErrorCode): Answer {
  return { error };
}

function messageOf({ error, message }: Json): string {
  if (typeof error === 'string') return error;
  return error === undefined ? String(message) : messageOf({ error: error.message ?? '' });
}

function leaseOf(text: unknown): string {
  const id = BigInt.asUintN(64, BigInt(String(text)));
  return id.toString(16).padStart(16, '0');
}

function number(text: string | undefined): number {
  return Number(text ?? 0);
}

function binary(base64: unknown): string {
  return Buffer.from(String(base64), 'base64').toString('latin1');
}
