/** The ways in which a follower that was away gets what it missed. */

export type WayName = 'log' | 'snapshot' | 'slow-link';

export interface Way {
  readonly name: WayName;
  /** What a follower has to be given that way. */
  readonly received: 'entries' | 'a state';
  /** Options of `rollcall server` that bring it about, for so many bytes of values. */
  readonly parameters: (bytes: number) => readonly string[];
  /** What passes to the follower from its start on; null for everything. */
  readonly linkBytesPerSecond: number | null;
}

const mebi = 1024 * 1024;

export const ways: readonly Way[] = [
  { name: 'log', received: 'entries', parameters: () => [], linkBytesPerSecond: null },
  { name: 'snapshot', received: 'a state', parameters: shortLog, linkBytesPerSecond: null },
  { name: 'slow-link', received: 'a state', parameters: shortLog, linkBytesPerSecond: 8 * mebi },
];

/** What was missed is gone, but there is room for what is written while the state is on its way. */
function shortLog(bytes: number): readonly string[] {
  const window = Math.max(1, Math.min(8, Math.floor(bytes / mebi / 16)));
  const retained = Math.max(8, Math.floor(bytes / mebi / 4));
  return ['--log-window-mib', String(window), '--log-retained-mib', String(retained)];
}
