/** A log of states on their way that a test can read. */
import type { Clock } from '../../src/base/clock.ts';
import { type LogFields, silentLog } from '../../src/base/log.ts';
import { TransferLog } from '../../src/node/transfer-log.ts';

export interface Told {
  readonly level: 'info' | 'warn';
  readonly fields: LogFields;
  readonly message: string;
}

const nobody = { members: [], voters: [], votersOutgoing: [], learners: [], learnersNext: [] };

/** Members are called by their ids. */
export function transferLog(clock: Pick<Clock, 'monotonic'>, told: Told[] = []): TransferLog {
  const tell = (level: Told['level']) => (fields: LogFields, message: string) =>
    void told.push({ level, fields, message });
  const log = { ...silentLog, info: tell('info'), warn: tell('warn') };
  return new TransferLog(log, clock, () => nobody);
}
