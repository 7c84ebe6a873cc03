import { StateMachine } from '../state-machine/state-machine.ts';
import { loadMachine } from './load-machine.ts';
import { Member } from './member.ts';
import type { MemberOptions } from './member-options.ts';

/**
 * Loads the state that the storage's checkpoint describes and makes a member of it. The caller starts
 * it. Throws `dataDamaged` when the records are not those of the checkpoint.
 */
export async function openMember(options: Omit<MemberOptions, 'machine'>): Promise<Member> {
  const { storage } = options;
  const { checkpoint, overlay } = storage;
  const load = (from: string, to: string): ReturnType<typeof storage.load> =>
    storage.load(from, to);
  const machine =
    checkpoint === null
      ? new StateMachine(overlay)
      : await loadMachine({ overlay, load }, checkpoint);
  return new Member({ ...options, machine });
}
