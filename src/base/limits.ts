/** The bounds that every layer shares. Each is checked where the bytes or the request enter. */

const kibi = 1024;
const mebi = 1024 * kibi;

export const limits = {
  clientFrameBytesMax: 2 * mebi,
  serverFrameBytesMax: 2.25 * mebi,
  peerFrameBytesMax: 4 * mebi,
  keyBytesMax: 4 * kibi,
  valueBytesMax: mebi - 16 * kibi,
  /** Operations of a transaction with all nested ones. */
  transactionOperationsMax: 128,
  /** Keys that one command may visit: changes, compares, ranges and counts together. */
  commandKeysMax: 4096,
  /**
   * Keys of ended leases, and ended sessions, that go at once: before the commands of an entry, or by a
   * revocation. So few that writes hardly notice when 100,000 leases end together.
   */
  endedKeysMax: 1024,
  /** Values that one command may read. */
  commandValuesMax: 1000,
  commandValueBytesMax: 2 * mebi,
  nameLengthMax: 128,
  /** How often a watch may ask for bookmarks. */
  watchProgressMsMin: 1000,
  watchProgressMsMax: 24 * 60 * 60 * 1000,
  leaseTtlMsMin: 500,
  /** etcd's bound: 9,000,000,000 seconds. */
  leaseTtlMsMax: 9_000_000_000_000,
  /** So long a session lives after the last that was heard of its client. */
  sessionTtlMs: 60_000,
  sessionsMax: 100_000,
  /** Writes of one session that are not acknowledged. */
  sessionResultsMax: 256,
  /** Results that one session keeps, and all of them together. */
  sessionBytesMax: mebi,
  sessionsBytesMax: 256 * mebi,
  /** Of a larger result only outcome and revision are kept. */
  sessionResultBytesMax: 16 * kibi,
} as const;

/** Service, namespace, node and instance names: 1 to 128 of `a-z 0-9 . _ -`, first a letter or digit. */
export function isName(text: string): boolean {
  return text.length <= limits.nameLengthMax && /^[a-z0-9][a-z0-9._-]*$/.test(text);
}
