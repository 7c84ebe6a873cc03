/** Opens the storage of a member: its log and the state that the log names, checked together. */
import { assert } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import { damaged, damagedPart } from './damage.ts';
import type { ReachFailpoint } from './failpoints.ts';
import { Failure } from './failure.ts';
import { loadIdentity, saveWalBegun } from './identity.ts';
import { MemberStorage } from './member-storage.ts';
import { Space } from './space.ts';
import { makeState, removeOtherStates, statePath } from './state-directory.ts';
import { type FoundState, findState, type StateOptions, StoredState } from './stored-state.ts';
import type { Birth, Files, Identity, OpenLevel, Storage } from './types.ts';
import { type RecoveredLog, recoverLog } from './wal/recovery.ts';
import { segmentPath } from './wal/segment.ts';
import { readCurrentState } from './wal/segments.ts';
import { beginWal, openWal, type WalOptions } from './wal/wal.ts';

const mebi = 1024 * 1024;
const firstState = 1;

export interface StorageOptions {
  readonly files: Files;
  readonly openLevel: OpenLevel;
  readonly clock: Clock;
  /** Born. */
  readonly identity: Identity;
  /** Size of a segment of the write-ahead log; 64 MiB unless given. */
  readonly segmentBytes?: number;
  /** Few big generations cost less than many small ones; a restart replays one or two. 16 MiB unless given. */
  readonly generationBytesMax?: number;
  /** 5 s unless given. */
  readonly generationAgeMsMax?: number;
  /** 32 MiB unless given. */
  readonly valueCacheBytesMax?: number;
  /** Called at each of `storageFailpoints`. */
  readonly failpoint?: ReachFailpoint;
}

/**
 * Opens, or at the first time begins, the storage of a born member. Throws `dataDamaged` without
 * changing anything when what is stored is not what was written; its detail `part` says what is
 * damaged: `log`, whatever the state is like, or `state`, when the log is good. Throws `formatTooNew`
 * when a newer program wrote it. The caller closes the files after the storage.
 */
export async function openStorage(options: StorageOptions): Promise<Storage> {
  const identity = await loadIdentity(options.files);
  assert(identity?.memberId === options.identity.memberId, 'The identity is not of this directory');
  const { birth } = identity;
  assert(birth !== null, () => `Member ${identity.memberId} is not born`);
  const failure = new Failure();
  const settings = settingsOf(options, identity.memberId, birth, failure);
  const found = identity.walBegun
    ? await findParts(settings, birth)
    : await beginParts(settings, birth, identity);
  try {
    return await openParts(settings, found, failure);
  } catch (error) {
    await found.log.active.file.close().catch(() => undefined);
    await found.state.level.close().catch(() => undefined);
    throw error;
  }
}

interface Settings {
  readonly wal: WalOptions;
  readonly state: Omit<StateOptions, 'sequence'>;
}

function settingsOf(
  options: StorageOptions,
  memberId: string,
  { clusterId }: Birth,
  failure: Failure,
): Settings {
  const { files, openLevel, clock, failpoint = () => {} } = options;
  const space = new Space(files, clock);
  const onFailure = (error: unknown): void => failure.inBackground(error);
  const segmentBytes = options.segmentBytes ?? 64 * mebi;
  return {
    wal: { files, clock, memberId, clusterId, segmentBytes, space, failpoint, onFailure },
    state: {
      ...{ files, openLevel, clock, space, failpoint, onFailure },
      generationBytesMax: options.generationBytesMax ?? 16 * mebi,
      generationAgeMsMax: options.generationAgeMsMax ?? 5000,
      valueCacheBytesMax: options.valueCacheBytesMax ?? 32 * mebi,
    },
  };
}

/** The state and the log as they were found; nothing was changed. */
interface Parts {
  readonly state: FoundState;
  readonly log: RecoveredLog;
}

async function openParts(
  settings: Settings,
  { state, log }: Parts,
  failure: Failure,
): Promise<Storage> {
  const { files } = settings.wal;
  await removeOtherStates(files, state.number);
  const wal = await openWal(settings.wal, log);
  const stateOptions = { ...settings.state, sequence: () => wal.sequence };
  return new MemberStorage({
    stateOptions,
    state: new StoredState(stateOptions, state),
    isStateMissing: state.checkpoint === null && log.start.last.index > 0,
    wal,
    recovered: log,
    failure,
  });
}

async function beginParts(settings: Settings, birth: Birth, identity: Identity): Promise<Parts> {
  const { wal } = settings;
  const { clusterId, configuration } = birth;
  await makeState(wal.files, firstState);
  const state = await findState(settings.state, firstState);
  try {
    if (state.checkpoint !== null) {
      throw damaged('identity', 'identity', 0, 'it does not know of the state');
    }
    await beginWal(wal, {
      ...{ number: 1, memberId: wal.memberId, clusterId, configuration },
      ...{ sequence: 1, chain: { high: 0, low: 0 }, last: { term: 0, index: 0 } },
      hardState: { currentTerm: 0, votedFor: null, commitIndex: 0 },
      ...{ state: firstState, isInstall: false },
    });
    await saveWalBegun(wal.files, identity);
    return { state, log: await readLog(settings, birth, state) };
  } catch (error) {
    await state.level.close();
    throw error;
  }
}

/** Damage of the log comes first: as long as it is there, nothing else can be judged. */
async function findParts(settings: Settings, birth: Birth): Promise<Parts> {
  const number = await readCurrentState(settings.wal.files);
  if (number === null) {
    // No segment has begun: recovery names the one that is to blame.
    await readLog(settings, birth, null);
    assert(false, 'A log that names no state was read');
  }
  const state = await findState(settings.state, number).catch((error: unknown) => {
    if (damagedPart(error) !== 'state') throw error;
    return error;
  });
  if (!isFound(state)) {
    const { active } = await readLog(settings, birth, null);
    await active.file.close();
    throw state;
  }
  try {
    return { state, log: await readLog(settings, birth, state) };
  } catch (error) {
    await state.level.close();
    throw error;
  }
}

function isFound(state: unknown): state is FoundState {
  return !(state instanceof Error);
}

/** Reads the log that continues this state, and checks the two against each other. */
async function readLog(
  { wal }: Settings,
  birth: Birth,
  state: FoundState | null,
): Promise<RecoveredLog> {
  const header = state?.checkpoint?.header;
  const log = await recoverLog(wal.files, {
    memberId: wal.memberId,
    clusterId: wal.clusterId,
    applied: header?.applied ?? null,
    configuration: header?.configuration ?? birth.configuration,
  });
  try {
    if (state !== null) checkMatch(state, log, wal.clusterId);
    return log;
  } catch (error) {
    await log.active.file.close();
    throw error;
  }
}

function checkMatch(
  { number, checkpoint }: FoundState,
  log: RecoveredLog,
  clusterId: string,
): void {
  if (checkpoint === null) return;
  const { header, sequence } = checkpoint;
  const { segment, end } = log.active;
  if (end.sequence < sequence) {
    const what = `it ends before group ${sequence}, with which the state was written`;
    throw damaged('log', segmentPath(segment.number), end.position, what);
  }
  const path = statePath(number);
  if (header.clusterId !== clusterId) {
    throw damaged('state', path, 0, `it belongs to cluster ${header.clusterId}`);
  }
  const { index } = log.map.base;
  if (header.applied.index < index) {
    const what = `it has applied entry ${header.applied.index}, but the log begins after ${index}`;
    throw damaged('state', path, 0, what);
  }
}
