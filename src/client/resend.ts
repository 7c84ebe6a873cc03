/**
 * What may be sent again. A request whose failure is definite had no effect, so that sending it again
 * is the first time; one that changes nothing may be repeated whatever became of it, and so may a write
 * under a session, which the cluster does once however often it comes. Any other write in doubt is
 * never repeated: its caller is told, and decides.
 */
import type { ErrorCode, RollcallError } from '../base/errors.ts';
import { type Method, sessionMethods, type WireOperation, type WireTxn } from '../wire/methods.ts';

/** Renewing a lease twice renews it once, a little later. */
const repeatableMethods: ReadonlySet<Method> = new Set<Method>([
  'range',
  'leaseKeepAlive',
  'leaseTimeToLive',
  'leaseList',
  // One whose answer is lost ends by itself.
  'sessionOpen',
  'sessionRenew',
  'sessionClose',
  'discover',
  'services',
  'memberList',
  'status',
]);

/** Refusals that another node, or the same one a little later, would not give. */
const passingCodes: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'notLeader',
  'noLeader',
  'notBorn',
  'behind',
  'closed',
  'connectionLost',
  'leadershipLost',
  'timeout',
  'storageFailed',
  'removed',
]);

/** Whether the request is a write that a session makes safe to repeat. */
export function wantsSession(method: Method, parameters: object): boolean {
  return sessionMethods.has(method) && !isRepeatable(method, parameters);
}

/** True for requests that change nothing that a repetition would change again. */
export function isRepeatable(method: Method, parameters: object): boolean {
  if (method === 'txn') return onlyReads(parameters as Partial<WireTxn>);
  return repeatableMethods.has(method);
}

function onlyReads(txn: Partial<WireTxn>): boolean {
  return (txn.success ?? []).every(isRead) && (txn.failure ?? []).every(isRead);
}

function isRead(operation: WireOperation): boolean {
  return operation.type === 'range' || (operation.type === 'txn' && onlyReads(operation));
}

/** Whether the request that failed with `error` is sent again, for as long as its time lasts. */
export function mayResend(error: RollcallError, repeatable: boolean): boolean {
  return passingCodes.has(error.code) && (error.definite || repeatable);
}

/** Whether a stream that ended with `error` goes on elsewhere. Streams only read. */
export function mayResume(error: RollcallError): boolean {
  return (
    passingCodes.has(error.code) || error.code === 'tooManyRequests' || error.code === 'cancelled'
  );
}

/** Refusals that the same request will meet again, wherever and whenever it is sent. */
const hopelessCodes: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'invalidArgument',
  'unknownMethod',
  'frameTooLarge',
  'malformedFrame',
  'forbidden',
]);

/** Whether a declared wish, such as a registration, is worth another attempt after `error`. */
export function mayMend(error: RollcallError): boolean {
  return !hopelessCodes.has(error.code);
}
