/**
 * When this directory was last repaired. Damage that comes again so soon has a cause that no repair
 * removes, so a node asks here before it begins one. The note outlives the member that was repaired.
 */
import { assert } from '../base/assert.ts';
import { damagedPart } from './damage.ts';
import { seal, unseal } from './sealed.ts';
import type { Files } from './types.ts';

const version = 1;
export const repairNotePath = 'repaired';

/** In milliseconds of wall time. Null when there was no repair, or nothing legible is left of the note. */
export async function readRepairNote(files: Files): Promise<number | null> {
  const file = await files.open(repairNotePath, { create: false });
  if (file === null) return null;
  try {
    const bytes = await file.read(0, await file.size());
    return unseal('identity', repairNotePath, bytes, (reader) => {
      return reader.u8() === version ? reader.varint() : null;
    });
  } catch (error) {
    if (damagedPart(error) === null) throw error;
    return null;
  } finally {
    await file.close();
  }
}

/** Durable when it resolves. A note that is torn by a power cut counts as none. */
export async function writeRepairNote(files: Files, wallMs: number): Promise<void> {
  const file = await files.open(repairNotePath, { create: true });
  assert(file !== null, 'A file that is created is there');
  try {
    const note = seal((writer) => writer.u8(version).varint(Math.floor(wallMs)));
    await file.write(0, note);
    await file.sync();
  } finally {
    await file.close();
  }
  await files.syncDirectory('');
}
