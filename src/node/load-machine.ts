import { damagedState } from '../base/damage.ts';
import { RollcallError } from '../base/errors.ts';
import { featureLevel } from '../format/feature-level.ts';
import { loadedRanges } from '../state-machine/record-codec.ts';
import { StateMachine } from '../state-machine/state-machine.ts';
import type { CheckpointHeader, StagedState, Storage, StoredRecord } from '../storage/types.ts';

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
    for await (const page of state.load(from, to)) loadPage(machine, page);
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

/** At a feature level that this program knows, nothing newer was written: what looks newer is damage. */
function loadPage(machine: StateMachine, page: readonly StoredRecord[]): void {
  try {
    machine.loadPage(page);
  } catch (error) {
    if (!(error instanceof RollcallError) || error.code !== 'formatTooNew') throw error;
    throw damagedState(error.message, error);
  }
}
