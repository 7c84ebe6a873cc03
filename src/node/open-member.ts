import { RollcallError } from '../base/errors.ts';
import { featureLevel } from '../format/feature-level.ts';
import { loadedRanges } from '../state-machine/record-codec.ts';
import { StateMachine } from '../state-machine/state-machine.ts';
import { Member, type MemberOptions } from './member.ts';

/**
 * Loads the state that the storage's checkpoint describes and makes a member of it. The caller starts
 * it. Throws `dataDamaged` when the records are not those of the checkpoint.
 */
export async function openMember(options: Omit<MemberOptions, 'machine'>): Promise<Member> {
  const { storage, birth } = options;
  if (storage.isStateMissing) {
    const begin = `the log begins only after entry ${storage.logFirst - 1}`;
    throw new RollcallError('dataDamaged', `The state is missing, and ${begin}`);
  }
  const machine = new StateMachine(storage.overlay);
  const header = storage.checkpoint;
  if (header !== null) {
    if (header.featureLevel > featureLevel) {
      throw new RollcallError(
        'formatTooNew',
        `The state has feature level ${header.featureLevel}; this program knows ${featureLevel}`,
      );
    }
    for (const { from, to } of loadedRanges) {
      for await (const page of storage.load(from, to)) machine.loadPage(page);
    }
    machine.finishLoad(header);
  }
  return new Member({ ...options, machine, birth });
}
