import type { Mutant } from './mutant.ts';

/** The write-ahead log, its recovery, and the stored state. */
export const storage: readonly Mutant[] = [
  {
    name: 'append-not-synced',
    file: 'src/storage/wal/writer.ts',
    find: 'await this.#file.writeDurably(position, group);',
    replace: 'await this.#file.write(position, group);',
    story: 'An append counts as durable once the operating system has it.',
    shownBy: ['power cut', 'leader change'],
  },
  {
    name: 'segment-name-not-synced',
    file: 'src/storage/wal/prepare.ts',
    find: `await files.rename(unfinishedPath, path);
  await files.syncDirectory(walDirectory);`,
    replace: 'await files.rename(unfinishedPath, path);',
    story: 'The name of a new segment is not durable when entries are acknowledged in it.',
    shownBy: ['power cut'],
  },
  {
    name: 'recovered-tail-not-synced',
    file: 'src/storage/wal/recovery.ts',
    find: `  if (unproven > 0) await file.write(provenTo, await file.read(provenTo, unproven));
  await zeroRange(file, end.position, await file.size());`,
    replace: '',
    story:
      'What a killed process had written counts as durable at the next start, torn rest and all.',
    shownBy: ['crash', 'power cut'],
  },
  {
    name: 'group-checksum-not-checked',
    file: 'src/storage/wal/scan.ts',
    find: 'if (crc32(body, salt) !== header.bodyCrc) return { place, wanted: 0 };',
    replace: '',
    story: 'A torn or rotten group is taken for a whole one.',
    shownBy: ['power cut'],
  },
  {
    name: 'durable-end-forgotten',
    file: 'src/storage/wal/recovery.ts',
    find: 'if (slot !== null && slot.place.position > end.position) {',
    replace: 'if (slot !== null && slot.place.position > size) {',
    story:
      'Damage at the end of the log passes for a torn tail, and what was acknowledged is cut off.',
    shownBy: ['damage', 'leader change'],
  },
  {
    name: 'later-groups-prove-nothing',
    file: 'src/storage/wal/recovery.ts',
    find: 'if (isLast) await this.#expectTornTail(file, segment, end);',
    replace: '',
    story: 'Damage before groups that are whole passes for a torn tail.',
    shownBy: ['damage', 'leader change'],
  },
  {
    name: 'replaced-entries-come-back',
    file: 'src/storage/wal/tail.ts',
    find: 'if (left < this.#entries.length) this.#entries.length = left;',
    replace: '',
    story: 'Entries that were replaced are there again after a restart.',
    shownBy: ['leader change', 'restart'],
  },
  {
    name: 'state-and-header-written-apart',
    file: 'src/storage/checkpointer.ts',
    find: 'await this.#level.write(changes(records, stored));',
    replace: `await this.#level.write([...records]);
    await this.#level.write(checkpointChanges(stored));`,
    story: 'Records and the index that they stand at get to the disk one after the other.',
    shownBy: ['crash'],
  },
  {
    name: 'checkpoint-within-an-entry',
    file: 'src/node/applier.ts',
    find: 'if (this.#last.index > before && this.#current === null) {',
    replace: 'if (this.#last.index > before) {',
    story: 'A checkpoint may hold half of an entry, which is applied again after a restart.',
    shownBy: ['pause', 'restart'],
  },
  {
    name: 'frozen-records-unreadable',
    file: 'src/storage/overlay.ts',
    find: 'if (frozen !== undefined) return frozen;',
    replace: '',
    story: 'What is on its way into the stored state cannot be read meanwhile.',
    shownBy: ['slow disk'],
  },
  {
    name: 'values-not-checked',
    file: 'src/mvcc/key-space.ts',
    find: 'if (value === null || !equalHash(hash64(value, valueSeed), table.valueHash(slot))) {',
    replace: 'if (value === null) {',
    story: 'A value that rotted on the disk is handed out.',
    shownBy: ['damage'],
  },
];
