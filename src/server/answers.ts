/** From the member's words to the wire's: each field by name, so that nothing else ever leaves. */
import { assert } from '../base/assert.ts';
import { RollcallError } from '../base/errors.ts';
import { limits } from '../base/limits.ts';
import type { KeyValue, OperationResult } from '../mvcc/types.ts';
import type {
  Applicant,
  MemberApi,
  MemberReport,
  MembershipReport,
  Request,
  Response,
  ViewBatch,
  WatchBatch,
  WatchedEvent,
} from '../node/types.ts';
import type { InstanceEvent, RegisteredInstance } from '../registry/types.ts';
import type { WireSession } from '../wire/frame.ts';
import { type Method, type Parameters, sessionMethods } from '../wire/methods.ts';
import type {
  Items,
  NodeStatus,
  Results,
  StreamMethod,
  WireApplicant,
  WireEvent,
  WireInstance,
  WireInstanceEvent,
  WireMember,
  WireMembership,
  WireOperationResult,
  WirePair,
  WireRange,
} from '../wire/results.ts';

/** The methods that the member answers once. */
export type MemberMethod = Exclude<
  Method,
  StreamMethod | 'status' | 'watchProgress' | 'permit' | 'cancel'
>;

const requests: { readonly [M in MemberMethod]: (params: Parameters<M>) => Request } = {
  put: (params) => ({ type: 'put', ...params }),
  delete: (params) => ({ type: 'delete', ...params }),
  txn: (params) => ({ type: 'txn', ...params }),
  range: (params) => ({ type: 'range', ...params }),
  compact: (params) => ({ type: 'compact', ...params }),
  leaseGrant: (params) => ({ type: 'leaseGrant', ...params }),
  leaseRevoke: (params) => ({ type: 'leaseRevoke', ...params }),
  leaseKeepAlive: (params) => ({ type: 'leaseKeepAlive', ...params }),
  leaseTimeToLive: (params) => ({ type: 'leaseTimeToLive', ...params }),
  leaseList: (params) => ({ type: 'leaseList', ...params }),
  register: (params) => ({ type: 'register', ...params }),
  deregister: (params) => ({ type: 'deregister', ...params }),
  sessionOpen: () => ({ type: 'sessionOpen' }),
  sessionRenew: (params) => ({ type: 'sessionRenew', ...params }),
  sessionClose: (params) => ({ type: 'sessionClose', ...params }),
  discover: (params) => ({ type: 'discover', ...params }),
  services: (params) => ({ type: 'services', ...params }),
  memberList: () => ({ type: 'memberList' }),
  memberAdd: (params) => ({ type: 'memberAdd', ...params }),
  memberReplace: (params) => ({ type: 'memberReplace', ...params }),
  memberPromote: (params) => ({ type: 'memberPromote', ...params }),
  memberRemove: (params) => ({ type: 'memberRemove', ...params }),
  transferLeadership: (params) => ({ type: 'transferLeadership', ...params }),
};

/** `params` have passed the method's schema. */
export function requestOf(method: MemberMethod, params: unknown): Request {
  return requests[method](params as never);
}

const reads: ReadonlySet<MemberMethod> = new Set([
  'range',
  'leaseTimeToLive',
  'leaseList',
  'discover',
  'services',
  'memberList',
]);

/** Throws `invalidArgument` for a session where none belongs. */
export function checkSession(method: Method, session: WireSession | null): void {
  if (session === null || sessionMethods.has(method)) return;
  throw new RollcallError('invalidArgument', `A ${method} request has no session`);
}

const membershipChanges: ReadonlySet<MemberMethod> = new Set([
  'memberAdd',
  'memberReplace',
  'memberPromote',
  'memberRemove',
]);

export function isRead(method: MemberMethod): boolean {
  return reads.has(method);
}

/** Throws `frameTooLarge` when the answer surely fits into no frame, before it is encoded. */
export function resultOf(method: MemberMethod, response: Response): Results[MemberMethod] {
  const { revision, result } = response;
  const expected: string = membershipChanges.has(method) ? 'memberChange' : method;
  assert(result.type === expected, () => `A result ${result.type} for the method ${method}`);
  switch (result.type) {
    case 'put':
      return { revision, previous: pairOrNull(result.previous) };
    case 'delete':
      return { revision, deleted: result.deleted, previous: pairsOf(result.previous) };
    case 'range':
      return { revision, ...rangeOf(result) };
    case 'txn':
      return { revision, succeeded: result.succeeded, results: result.results.map(operationOf) };
    case 'leaseGrant':
      return { revision, leaseId: result.leaseId, ttlMs: result.ttlMs };
    case 'leaseKeepAlive':
      return { revision, ttlsMs: result.ttlsMs, instances: result.instances };
    case 'leaseTimeToLive': {
      const { grantedTtlMs, remainingMs, keys, more } = result;
      return { revision, grantedTtlMs, remainingMs, keys, more };
    }
    case 'leaseList':
      return { revision, leases: result.leases, more: result.more };
    case 'register':
      return { revision, created: result.created };
    case 'discover':
      return { revision, instances: result.instances.map(instanceOf) };
    case 'services':
      return { revision, services: result.services };
    case 'memberList':
    case 'memberChange':
      return { revision, ...membershipOf(result) };
    case 'transferLeadership':
      return { revision, leaderId: result.leaderId, leaderName: result.leaderName };
    case 'sessionOpen':
      return { revision, sessionId: result.sessionId, ttlMs: result.ttlMs };
    case 'leaseRevoke':
    case 'deregister':
    case 'sessionRenew':
    case 'sessionClose':
    case 'compact':
    case 'beginIncarnation':
    case 'raiseFeatureLevel':
      return { revision };
  }
}

export function eventsOf({ revision, events, more }: WatchBatch): Items['watch'] {
  const item = { type: 'events', revision, events: events.map(eventOf) } as const;
  return more ? { ...item, more } : item;
}

export function viewOf(
  revision: number,
  instances: readonly RegisteredInstance[],
): Items['watchService'] {
  return { type: 'view', revision, instances: instances.map(instanceOf) };
}

export function changesOf({ revision, events }: ViewBatch): Items['watchService'] {
  return { type: 'changes', revision, events: events.map(changeOf) };
}

/** Before its birth a node has no cluster: what would name one is empty. */
export function nodeStatusOf(
  member: MemberApi | null,
  self: { readonly memberId: string; readonly name: string },
  version: string,
): NodeStatus {
  if (member !== null) return { ...member.status(), version };
  return {
    clusterId: '',
    incarnation: '',
    memberId: self.memberId,
    name: self.name,
    role: 'follower',
    standing: 'joining',
    troubles: [],
    term: 0,
    leaderId: null,
    leaderName: null,
    leaderAddress: null,
    members: [],
    featureLevel: 0,
    featureLevelMax: 0,
    commitIndex: 0,
    appliedIndex: 0,
    revision: 0,
    ...{ compactRevision: 0, removedRevision: 0, storedBytes: 0, quotaBytes: 0 },
    ...{ historyAgeMs: 0, historyRevisions: 0 },
    digest: '0000000000000000',
    version,
  };
}

function membershipOf({ members, applicants, lastIndex }: MembershipReport): WireMembership {
  return { members: members.map(memberOf), applicants: applicants.map(applicantOf), lastIndex };
}

function memberOf(member: MemberReport): WireMember {
  const { standing, leads, autoPromote, replaces, matchIndex, isReachable } = member;
  return {
    ...applicantOf(member),
    ...{ standing, leads, autoPromote, replaces, matchIndex, isReachable },
  };
}

function applicantOf(applicant: Applicant): WireApplicant {
  const { id, name, peerAddress, clientAddress, featureLevel } = applicant;
  return { id, name, peerAddress, clientAddress, featureLevel };
}

function operationOf(result: OperationResult): WireOperationResult {
  switch (result.type) {
    case 'put':
      return { type: 'put', previous: pairOrNull(result.previous) };
    case 'delete':
      return { type: 'delete', deleted: result.deleted, previous: pairsOf(result.previous) };
    case 'range':
      return { type: 'range', ...rangeOf(result) };
    case 'txn': {
      const { succeeded, results } = result;
      return { type: 'txn', succeeded, results: results.map(operationOf) };
    }
  }
}

function rangeOf(range: WireRange): WireRange {
  return { pairs: pairsOf(range.pairs), count: range.count, more: range.more };
}

function pairsOf(pairs: readonly KeyValue[]): WirePair[] {
  let bytes = 0;
  for (const { key, value } of pairs) bytes += key.length + value.length;
  if (bytes > limits.serverFrameBytesMax) throw tooLarge(bytes);
  return pairs.map(pairOf);
}

function pairOf(pair: KeyValue): WirePair {
  const { key, value, createRevision, modRevision, version, leaseId } = pair;
  return { key, value, createRevision, modRevision, version, leaseId };
}

function pairOrNull(pair: KeyValue | null): WirePair | null {
  return pair === null ? null : pairOf(pair);
}

function eventOf({ type, pair, previous }: WatchedEvent): WireEvent {
  return { type, pair: pairOf(pair), previous: pairOrNull(previous) };
}

function instanceOf(instance: RegisteredInstance): WireInstance {
  const { id, address, tags, metadata, leaseId, createRevision, modRevision } = instance;
  return { id, address, tags, metadata, leaseId, createRevision, modRevision };
}

function changeOf(event: InstanceEvent): WireInstanceEvent {
  return event.type === 'set'
    ? { type: 'set', instance: instanceOf(event.instance) }
    : { type: 'removed', id: event.id, reason: event.reason };
}

export function tooLarge(bytes: number): RollcallError {
  return new RollcallError(
    'frameTooLarge',
    `The answer has ${bytes} bytes or more, a frame at most ${limits.serverFrameBytesMax}`,
  );
}
