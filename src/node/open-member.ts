import { RollcallError } from '../base/errors.ts';
import { loadStoredMachine } from './load-machine.ts';
import { Member } from './member.ts';
import type { MemberOptions } from './member-options.ts';
import { refuseUnfinished } from './new-incarnation.ts';

/**
 * Loads the state that the storage's checkpoint describes and makes a member of it. The caller starts
 * it. Throws `dataDamaged` when the records are not those of the checkpoint, and when they
 * are lost in a cluster of one; `dataDirectory` when they are of another incarnation than the member;
 * `formatTooNew` when they are of a feature level that it does not know.
 */
export async function openMember(options: Omit<MemberOptions, 'machine'>): Promise<Member> {
  const { memberId, storage, birth, featureLevelMax } = options;
  refuseUnfinished(storage.checkpoint, birth);
  const { members } = storage.start.configuration;
  if (storage.isStateMissing && members.every(({ id }) => id === memberId)) {
    throw new RollcallError('dataDamaged', 'The state is lost, and no other member has it');
  }
  return new Member({ ...options, machine: await loadStoredMachine(storage, featureLevelMax) });
}
