/**
 * The named places of a member, beside those of its storage, at which a test may end, fail or block the
 * process. Nothing waits here: whoever delays a member blocks its thread, as a long computation would.
 */
export const nodeFailpoints = {
  'turn.append': 'An append is about to go to the disk; what was decided with it has not been sent',
  'turn.send': 'Messages are about to leave; an append may be on its way to the disk',
  'turn.persisted': 'The disk is done with an append; the core does not know yet',
  'apply.begin': 'A committed entry is about to be applied',
  'apply.end': 'An entry is applied; nobody was answered',
  'watch.send': 'What a turn has applied is about to go to the watchers',
  'state.send': 'A piece of the state is about to leave for another member',
  'state.received': 'The state of another member is here, whole; nothing stands on it yet',
} as const satisfies Record<string, string>;

export type NodeFailpoint = keyof typeof nodeFailpoints;

/** Called at each place; may throw, block, or never return. */
export type ReachNodeFailpoint = (name: NodeFailpoint) => void;
