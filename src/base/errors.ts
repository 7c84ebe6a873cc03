/**
 * Operational failures. Each code says by itself whether the operation may have taken effect:
 * `definite: true` means it surely did not happen, `false` that it may have. Clients retry by this
 * flag and nothing else; messages are for people and are never matched.
 */

/** Every code with its default for `definite` and what to do about it. The README's table is made of this. */
export const errorCodes = {
  invalidArgument: { definite: true, advice: 'Correct the request; the message names the field' },
  unknownMethod: {
    definite: true,
    advice: 'The server does not know this method; compare versions',
  },
  frameTooLarge: { definite: true, advice: 'Send less at once; the limit is in the message' },
  malformedFrame: {
    definite: true,
    advice: 'The peer does not speak rollcall.v1; check the address',
  },
  forbidden: { definite: true, advice: 'The Origin or Host is not allowed' },
  keyTooLong: { definite: true, advice: 'Shorten the key' },
  valueTooLarge: { definite: true, advice: 'Store less in one value' },
  tooManyKeys: {
    definite: true,
    advice: 'Split the operation; it visits more keys than one command may',
  },
  tooManyOperations: { definite: true, advice: 'Split the transaction' },
  duplicateKey: { definite: true, advice: 'Write each key at most once in a transaction' },
  compacted: {
    definite: true,
    advice: 'Ask for a newer revision; the message names the oldest one',
  },
  futureRevision: {
    definite: true,
    advice: 'The revision does not exist yet; ask for an older one',
  },
  keyNotFound: { definite: true, advice: 'No such key exists at this revision' },
  leaseNotFound: {
    definite: true,
    advice: 'The lease has expired or was revoked; grant a new one',
  },
  leaseExists: { definite: true, advice: 'Choose another lease id' },
  notHeld: {
    definite: true,
    advice: 'The lock, permit or leadership was lost, and may be another’s by now; take it anew',
  },
  instanceNotFound: { definite: true, advice: 'No such instance is registered' },
  instanceReplaced: {
    definite: true,
    advice: 'Another process has registered this instance since; it was left as it is',
  },
  memberNotFound: { definite: true, advice: 'See `rollcall member list` for who there is' },
  membershipRefused: {
    definite: true,
    advice: 'The change would harm the cluster or has nothing to change; the message says why',
  },
  transferFailed: {
    definite: false,
    advice: 'The other node did not take over in time, but may still; see who leads',
  },
  notLeader: { definite: true, advice: 'Send it to the leader; the error carries a hint' },
  noLeader: { definite: true, advice: 'The cluster has no majority at the moment; try again' },
  behind: { definite: true, advice: 'This node has not yet seen the revision; ask another one' },
  tooManyRequests: { definite: true, advice: 'The node is overloaded; slow down and try again' },
  tooManyStreams: {
    definite: true,
    advice: 'So many streams are open on this connection or node; close some, or open another one',
  },
  noSpace: {
    definite: true,
    advice: 'A disk or the quota is full; delete, compact or make room, and it clears by itself',
  },
  cancelled: { definite: false, advice: 'The caller gave up; the operation may have happened' },
  leadershipLost: { definite: false, advice: 'It may have happened: read before you write again' },
  timeout: { definite: false, advice: 'It may have happened: read before you write again' },
  connectionLost: { definite: false, advice: 'It may have happened: read before you write again' },
  sessionExpired: {
    definite: false,
    advice: 'The session was away for too long; what was sent under it may have happened',
  },
  resultDropped: {
    definite: false,
    advice: 'The session has acknowledged this write, so that its result is no longer kept',
  },
  truncated: {
    definite: false,
    advice: 'It has happened, at the revision in the details; the result was too large to be kept',
  },
  tooManySessions: {
    definite: true,
    advice: 'Close clients that are not needed; sessions of dead ones end by themselves',
  },
  tooManyResults: {
    definite: true,
    advice: 'The session has too many writes whose results nobody has acknowledged; wait for them',
  },
  incarnationChanged: {
    definite: false,
    advice: 'The cluster was restored from a backup; read everything anew',
  },
  unreachable: {
    definite: true,
    advice: 'No endpoint answers; check the addresses and the network',
  },
  closed: { definite: true, advice: 'The client or node was closed; open a new one' },
  notBorn: { definite: true, advice: 'The node waits for its cluster; its log says for whom' },
  clusterMismatch: {
    definite: true,
    advice: 'Two clusters meet; check addresses and data directories',
  },
  removed: {
    definite: true,
    advice:
      'The node was removed from its cluster; stop it, or start it anew with an empty directory',
  },
  addressInUse: {
    definite: true,
    advice: 'Another process listens there; stop it or choose another port',
  },
  insecureAddress: { definite: true, advice: 'Listen on loopback, or say --insecure' },
  dataDirectory: {
    definite: true,
    advice: 'Check that the directory exists, is writable and not in use',
  },
  dataDamaged: {
    definite: true,
    advice:
      'What is stored is damaged, and no repair is possible here; keep the directory and replace the node',
  },
  formatTooNew: {
    definite: true,
    advice: 'A newer version of Rollcall wrote the data or runs the cluster; start one here, too',
  },
  featureLevelTooLow: {
    definite: true,
    advice: 'Start a newer version of Rollcall on every member; then it is allowed by itself',
  },
  storageFailed: {
    definite: false,
    advice: 'The disk failed; the node stops. Repair it and start again',
  },
  internal: { definite: false, advice: 'A bug in Rollcall; please report it with the log' },
} as const satisfies Record<string, { readonly definite: boolean; readonly advice: string }>;

export type ErrorCode = keyof typeof errorCodes;

export interface RollcallErrorOptions {
  /** Overrides the code's default, where the place of failure knows better. */
  readonly definite?: boolean;
  readonly cause?: unknown;
  /** Machine-readable extras that cross the wire: `leaderId`, `compactRevision`, `retryAfterMs` … */
  readonly details?: Readonly<Record<string, string | number>>;
}

export class RollcallError extends Error {
  override readonly name = 'RollcallError';
  readonly code: ErrorCode;
  /** True: the operation surely did not take effect. False: it may have. */
  readonly definite: boolean;
  readonly details: Readonly<Record<string, string | number>>;

  constructor(code: ErrorCode, message: string, options: RollcallErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.definite = options.definite ?? errorCodes[code].definite;
    this.details = options.details ?? {};
  }
}

export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorCodes, code);
}
