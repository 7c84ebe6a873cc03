/**
 * The named places at which a test or a simulator may end, fail or delay the storage. A crash here,
 * with any part of what is not synced lost, must leave a directory that opens with everything that
 * was acknowledged.
 */
export const storageFailpoints = {
  'append.begin': 'An append was taken; nothing of it is written',
  'append.durable': 'An append is durable; nobody was told',
  'segment.filled': 'The next segment is full of zeros under its unfinished name',
  'segment.prepared': 'The next segment has its name; it has not begun',
  'segment.begin': 'The next segment is about to begin with a group',
  'segment.durable': 'The next segment has begun; the one before is still open',
  'slot.begin': 'A slot is about to be written',
  'slot.written': 'A slot is written, not synced',
  'checkpoint.begin': 'A generation is frozen; nothing of it is in Level',
  'checkpoint.durable': 'Level has a generation; the overlay still holds it',
  'release.begin': 'A segment of the log is about to be removed',
  'release.removed': 'A segment is removed; its directory is not synced',
  'release.durable': 'A segment is gone for good; later ones may follow',
  'stage.begin': 'A directory for a received state is about to be made',
  'stage.made': 'The directory for a received state is there, empty',
  'stage.batch': 'Some received records are about to be written',
  'stage.filled': 'All received records are durable; their header is not written',
  'stage.finished': 'The received state is whole and durable, and means nothing yet',
  'install.begin': 'The log is about to name the received state as the current one',
  'install.durable': 'The log names the received state; the old one is still in use',
  'install.retired': 'The old state is closed and about to be removed',
  'install.removed': 'The old state is removed; the directory above is not synced',
  'aside.begin': 'A damaged directory is about to be set aside',
  'aside.cleared': 'What was set aside earlier is gone',
  'aside.moved': 'The damaged directory has its other name, not synced',
} as const satisfies Record<string, string>;

export type StorageFailpoint = keyof typeof storageFailpoints;

/** Called at each place; may throw, wait, or never return. */
export type ReachFailpoint = (name: StorageFailpoint) => void | Promise<void>;
