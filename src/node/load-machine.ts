import { RollcallError } from '../base/errors.ts';
import { featureLevel } from '../format/feature-level.ts';
import { damagedStateIfNewer } from '../state-machine/damage.ts';
import { loadedRanges } from '../state-machine/record-codec.ts';
import { StateMachine } from '../state-machine/state-machine.ts';
import type { CheckpointHeader, StagedState, Storage } from '../storage/types.ts';

/**
 * Builds the state machine from stored records. Throws `dataDamaged` when they are not those of the
 * header, and `formatTooNew` when a newer program made them.
 */
export async function loadMachine(
  state: Pick<StagedState, 'overlay' | 'load'>,
  header: CheckpointHeader,
): Promise<StateMachine> {
  if (header.featureLevel > featureLevel) {
    throw new RollcallError(
      'formatTooNew',
      `The state has feature level ${header.featureLevel}; this program knows ${featureLevel}`,
    );
  }
  const machine = new StateMachine(state.overlay);
  for (const { from, to } of loadedRanges) {
    for await (const page of state.load(from, to)) {
      damagedStateIfNewer(() => machine.loadPage(page));
    }
  }
  machine.finishLoad(header);
  return machine;
}

/** The state that the storage's checkpoint describes; an empty one when there is none. */
export async function loadStoredMachine(storage: Storage): Promise<StateMachine> {
  const { checkpoint, overlay } = storage;
  if (checkpoint === null) return new StateMachine(overlay);
  const load = (from: string, to: string): ReturnType<Storage['load']> => storage.load(from, to);
  return await loadMachine({ overlay, load }, checkpoint);
}
