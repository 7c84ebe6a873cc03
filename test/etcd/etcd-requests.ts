/** Steps as etcd's JSON gateway takes them. */
import type { Compare, KeyRange, LeaseId, Operation, RangeRequest } from '../../src/mvcc/types.ts';
import type { Step, WatchStep } from './step.ts';

const results = { equal: 'EQUAL', notEqual: 'NOT_EQUAL', less: 'LESS', greater: 'GREATER' };
const sortTargets = {
  key: 'KEY',
  version: 'VERSION',
  createRevision: 'CREATE',
  modRevision: 'MOD',
  value: 'VALUE',
};

export function requestOf(step: Step): { readonly path: string; readonly body: object } {
  switch (step.type) {
    case 'range':
      return { path: '/v3/kv/range', body: { ...range(step), serializable: step.serializable } };
    case 'put':
      return { path: '/v3/kv/put', body: put(step) };
    case 'delete':
      return { path: '/v3/kv/deleterange', body: { ...keys(step), prev_kv: step.previous } };
    case 'txn':
      return { path: '/v3/kv/txn', body: txn(step) };
    case 'compact': {
      const { revision, physical } = step;
      return { path: '/v3/kv/compaction', body: { revision: String(revision), physical } };
    }
    case 'leaseGrant':
      return { path: '/v3/lease/grant', body: { ID: lease(step.leaseId), TTL: step.ttlSeconds } };
    case 'leaseRevoke':
      return { path: '/v3/lease/revoke', body: { ID: lease(step.leaseId) } };
    case 'leaseKeepAlive':
      return { path: '/v3/lease/keepalive', body: { ID: lease(step.leaseId) } };
    case 'leaseTimeToLive':
      return { path: '/v3/lease/timetolive', body: { ID: lease(step.leaseId), keys: true } };
    case 'leaseList':
      return { path: '/v3/lease/leases', body: {} };
  }
}

export function watchOf(step: WatchStep): object {
  const filters = { put: ['NODELETE'], delete: ['NOPUT'] };
  return {
    create_request: {
      ...keys(step),
      start_revision: String(step.startRevision),
      prev_kv: step.previous,
      ...(step.only !== null && { filters: filters[step.only] }),
    },
  };
}

function put(operation: Extract<Operation, { readonly type: 'put' }>): object {
  return {
    key: base64(operation.key),
    value: Buffer.from(operation.value).toString('base64'),
    lease: lease(operation.leaseId),
    prev_kv: operation.previous,
    ignore_value: operation.ignoreValue,
    ignore_lease: operation.ignoreLease,
  };
}

function range(request: RangeRequest): object {
  const isPlain = request.sortBy === 'key' && request.order === 'ascend';
  return {
    ...keys(request),
    limit: String(request.limit),
    revision: String(request.revision),
    keys_only: request.keysOnly,
    count_only: request.countOnly,
    sort_target: sortTargets[request.sortBy],
    sort_order: isPlain ? 'NONE' : request.order.toUpperCase(),
    min_mod_revision: String(request.minModRevision),
    max_mod_revision: String(request.maxModRevision),
    min_create_revision: String(request.minCreateRevision),
    max_create_revision: String(request.maxCreateRevision),
  };
}

function txn(operation: Extract<Operation, { readonly type: 'txn' }>): object {
  return {
    compare: operation.compares.map(compareOf),
    success: operation.success.map(operationOf),
    failure: operation.failure.map(operationOf),
  };
}

function operationOf(operation: Operation): object {
  switch (operation.type) {
    case 'put':
      return { request_put: put(operation) };
    case 'delete':
      return { request_delete_range: { ...keys(operation), prev_kv: operation.previous } };
    case 'range':
      return { request_range: range(operation) };
    case 'txn':
      return { request_txn: txn(operation) };
  }
}

function compareOf(compare: Compare): object {
  const common = { ...keys(compare), result: results[compare.operator] };
  switch (compare.target) {
    case 'value':
      return { ...common, target: 'VALUE', value: Buffer.from(compare.value).toString('base64') };
    case 'version':
      return { ...common, target: 'VERSION', version: String(compare.number) };
    case 'createRevision':
      return { ...common, target: 'CREATE', create_revision: String(compare.number) };
    case 'modRevision':
      return { ...common, target: 'MOD', mod_revision: String(compare.number) };
    case 'lease':
      return { ...common, target: 'LEASE', lease: lease(compare.leaseId) };
  }
}

function keys({ key, rangeEnd }: KeyRange): object {
  return { key: base64(key), ...(rangeEnd !== null && { range_end: base64(rangeEnd) }) };
}

function base64(binary: string): string {
  return Buffer.from(binary, 'latin1').toString('base64');
}

/** A signed number of 64 bits. */
function lease(leaseId: LeaseId | null): string {
  return leaseId === null ? '0' : BigInt.asIntN(64, BigInt(`0x${leaseId}`)).toString();
}
