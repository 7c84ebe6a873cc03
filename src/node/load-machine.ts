import { expectFeatureLevel } from '../format/feature-level.ts';
import { damagedStateIfNewer } from '../state-machine/damage.ts';
import { loadedRanges } from '../state-machine/record-codec.ts';
import { StateMachine } from '../state-machine/state-machine.ts';
import type { CheckpointHeader, StagedState, Storage } from '../storage/types.ts';

/**
 * Builds the state machine from stored records, whose header's feature level is known. Throws
 * `dataDamaged` when they are not those of the header.
 */
export async function loadMachine(
  state: Pick<StagedState, 'overlay' | 'load'>,
  header: CheckpointHeader,
): Promise<StateMachine> {
  const machine = new StateMachine(state.overlay);
  for (const { from, to } of loadedRanges) {
    for await (const page of state.load(from, to)) {
      damagedStateIfNewer(() => machine.loadPage(page));
    }
  }
  machine.finishLoad(header);
  return machine;
}

/**
 * The state that the storage's checkpoint describes; an empty one when there is none. Throws `formatTooNew`
 * when it is of a feature level above `featureLevelMax`, and `dataDamaged`.
 */
export async function loadStoredMachine(
  storage: Storage,
  featureLevelMax: number,
): Promise<StateMachine> {
  const { checkpoint, overlay } = storage;
  if (checkpoint === null) return new StateMachine(overlay);
  expectFeatureLevel(checkpoint.featureLevel, featureLevelMax, 'The stored state');
  const load = (from: string, to: string): ReturnType<Storage['load']> => storage.load(from, to);
  return await loadMachine({ overlay, load }, checkpoint);
}
