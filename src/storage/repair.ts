/**
 * What a member does about damage before it opens its storage again. Nothing is deleted: what was bad
 * is kept beside its place as `state.damaged`, `wal.damaged` and `identity.damaged` until the next
 * damage of the same part. Each of these can be interrupted anywhere and done again.
 */
import { assert } from '../base/assert.ts';
import type { HardState, SnapshotMetadata } from '../format/types.ts';
import { setAside } from './aside.ts';
import type { StoredCheckpoint } from './checkpoint-record.ts';
import { damaged, damagedPart } from './damage.ts';
import type { ReachFailpoint } from './failpoints.ts';
import { loadIdentity } from './identity.ts';
import { listStates, makeState, statePath } from './state-directory.ts';
import { findState } from './stored-state.ts';
import type { Birth, Files, OpenLevel } from './types.ts';
import { walDirectory } from './wal/segment.ts';
import { readCurrentState } from './wal/segments.ts';
import { makeFirstSegment } from './wal/wal.ts';

const mebi = 1024 * 1024;
const renewedDirectory = 'wal.renewed';

export interface RepairOptions {
  readonly files: Files;
  readonly openLevel: OpenLevel;
  readonly failpoint?: ReachFailpoint;
}

/**
 * Sets the current state aside and begins an empty one. The log stays as it is; when it leads to the
 * state from the beginning, the member makes the state anew, otherwise the storage opens with
 * `isStateMissing`. Throws `dataDamaged` when the log cannot say which state is the current one.
 */
export async function renewState({ files, failpoint = reach }: RepairOptions): Promise<void> {
  const number = await readCurrentState(files);
  if (number === null) throw damaged('log', walDirectory, 0, 'it names no state');
  await setStateAside(files, number, failpoint);
}

/**
 * Sets the log aside and begins a new one behind the state, which is returned as the place where the
 * log begins; a state that is damaged too is set aside as well, and the log begins at 0. For a member
 * that is no voter any more: what it once promised is lost with the log, so it takes the term of a
 * leader, which is not below that of its state, and gives that leader its vote.
 */
export async function renewLog(
  options: RepairOptions,
  { currentTerm, votedFor }: Omit<HardState, 'commitIndex'>,
): Promise<SnapshotMetadata> {
  const { files, failpoint = reach } = options;
  const identity = await loadIdentity(files);
  assert(identity?.birth != null, 'A log belongs to a member that was born');
  const { memberId, birth } = identity;
  const { number, checkpoint } = await chooseState(options, birth);
  const last = checkpoint?.header.applied ?? { term: 0, index: 0 };
  const configuration = checkpoint?.header.configuration ?? birth.configuration;
  assert(currentTerm >= last.term, () => `Term ${currentTerm} for a state of term ${last.term}`);
  await files.removeDirectory(renewedDirectory);
  await files.makeDirectory(renewedDirectory);
  await files.syncDirectory('');
  const directory = renewedDirectory;
  await makeFirstSegment(
    { files, failpoint, directory, segmentBytes: 4 * mebi },
    {
      ...{ number: 1, memberId, clusterId: birth.clusterId, configuration, last },
      // The state remembers how far the log before had got.
      ...{ sequence: checkpoint?.sequence ?? 1, chain: { high: 0, low: 0 } },
      hardState: { currentTerm, votedFor, commitIndex: last.index },
      ...{ state: number, isInstall: false },
    },
  );
  await failpoint('renew.prepared');
  await setAside(files, walDirectory, failpoint);
  await failpoint('renew.aside');
  await putRenewedLog(files, failpoint);
  return { last, configuration };
}

/**
 * Sets everything aside: the directory is nobody's afterwards, and a new member can be made in it. For
 * a damaged identity, without which log and state mean nothing.
 */
export async function setMemberAside(
  files: Files,
  failpoint: ReachFailpoint = reach,
): Promise<void> {
  // The identity last: until then its damage is what is found.
  for (const path of ['state', walDirectory, 'identity']) await setAside(files, path, failpoint);
}

/** A renewed log that has not yet taken its place does so now, or goes when it was not whole. */
export async function finishRenewal(files: Files): Promise<void> {
  const names = await files.list('');
  if (!names.includes(renewedDirectory)) return;
  if (!names.includes(walDirectory)) {
    await putRenewedLog(files, reach);
    return;
  }
  await files.removeDirectory(renewedDirectory);
  await files.syncDirectory('');
}

async function putRenewedLog(files: Files, failpoint: ReachFailpoint): Promise<void> {
  await files.rename(renewedDirectory, walDirectory);
  await failpoint('renew.moved');
  await files.syncDirectory('');
}

async function setStateAside(
  files: Files,
  number: number,
  failpoint: ReachFailpoint,
): Promise<void> {
  await setAside(files, statePath(number), failpoint);
  await makeState(files, number);
}

/** The state to go on with without a log that names one: any whole one, and the oldest for choice. */
async function chooseState(
  options: RepairOptions,
  birth: Birth,
): Promise<{ readonly number: number; readonly checkpoint: StoredCheckpoint | null }> {
  const { files, failpoint = reach } = options;
  const numbers = await listStates(files);
  const named = await readCurrentState(files).catch((error: unknown) => {
    if (damagedPart(error) !== 'log') throw error;
    return null;
  });
  const number = named !== null && numbers.includes(named) ? named : (numbers[0] ?? 1);
  try {
    const { level, checkpoint } = await findState(options, number);
    await level.close();
    if (checkpoint === null || checkpoint.header.clusterId === birth.clusterId) {
      return { number, checkpoint };
    }
  } catch (error) {
    if (damagedPart(error) !== 'state') throw error;
  }
  await setStateAside(files, number, failpoint);
  return { number, checkpoint: null };
}

function reach(): void {}
