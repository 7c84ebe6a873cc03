import type { MembershipOptions } from './membership.ts';

/** The node's timing and bounds. Heartbeat 50 ms, election 300 to 590 ms. */
export const timing = {
  tickMs: 10,
  heartbeatTicks: 5,
  electionTicks: 30,
  /** A leader's process is surely gone: pre-votes leave after 10 to 60 ms. */
  earlyCampaignTicks: 6,
  /** Log time advances by at most this at once, so that a stall counts for nobody. */
  logTimeStepMsMax: 150,
  /** While a deadline runs, an entry at least this often. */
  clockEntryMs: 100,
  /** A leader looks this often whether history has become too old or too much. */
  compactionMs: 1000,
  renewalGatherMs: 20,
  /** How long a serializable read waits for this node to catch up. */
  behindMs: 500,
  /** Three election timeouts without a leader: streams are told. */
  leaderlessMs: 1800,
  /** Waits are looked through this often. */
  sweepMs: 100,
  /** So long a stopping leader waits for the one that takes over, and for what it began. */
  handoverMs: 600,
  /** A write to the disk that takes longer makes a node unfit to lead. */
  diskStallMs: 1000,
  /** What one turn may take of the event loop for applying and reading. */
  turnMs: 8,
} as const;

/** What the leader changes by itself. */
export const membershipTiming: Omit<MembershipOptions, 'levelAllowed'> = {
  applicantMs: 5000,
  retryMs: 1000,
  // Longer than an election timeout: whoever lives has answered by then.
  listenMs: 2 * timing.electionTicks * timing.tickMs,
};

export type Bounds = { readonly [name in keyof typeof bounds]: number };

export const bounds = {
  entryCommandsMax: 1024,
  entryBytesMax: 1024 * 1024,
  entriesInFlightMax: 4,
  /**
   * While entries are in flight, fewer commands than this wait and share the next one: an entry costs
   * every node messages and a sync, however little is in it.
   */
  entryCommandsWorthwhile: 256,
  /** So long a write, a linearizable read or a change of the cluster waits for its outcome. */
  requestTimeoutMs: 5000,
  openCommandsMax: 65_536,
  openBytesMax: 64 * 1024 * 1024,
  entriesPerMessageMax: 1024,
  bytesPerMessageMax: 256 * 1024,
  inflightMessagesMax: 256,
  /** What one slow follower can keep in buffers. */
  inflightBytesMax: 16 * 1024 * 1024,
  /** The log in memory is cut in steps of about this; what is older is read from the disk. */
  logBytesPerCut: 16 * 1024 * 1024,
  /** So much of what waits to be applied is held in memory; the rest is read from the disk again. */
  backlogBytesMax: 32 * 1024 * 1024,
  /** So much of the stored log stays for followers that come back. */
  logWindowBytes: 128 * 1024 * 1024,
  /** Beyond this the stored log is not kept for those who are behind: they get a state instead. */
  logRetainedBytesMax: 1024 * 1024 * 1024,
  /** So long log is kept beyond that for one who receives a state and does not come any nearer. */
  owedPatienceMs: 30_000,
  /** With less room than this on a disk, nothing is taken that would fill it. */
  diskReserveBytes: 64 * 1024 * 1024,
  /** With so much in the state nothing is taken that would make it more. */
  quotaBytes: 4096 * 1024 * 1024,
  /** See HistoryBounds. */
  historyAgeMs: 3_600_000,
  historyRevisions: 1_000_000,
} as const;
