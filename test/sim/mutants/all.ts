import { client } from './client.ts';
import { compaction } from './compaction.ts';
import { elections } from './elections.ts';
import { membership } from './membership.ts';
import type { Mutant } from './mutant.ts';
import { readsAndTime } from './reads-and-time.ts';
import { replication } from './replication.ts';
import { sessionsAndStreams } from './sessions-and-streams.ts';
import { stateAndWatches } from './state-and-watches.ts';
import { statesAndOldLog } from './states-and-old-log.ts';
import { storage } from './storage.ts';

export const mutants: readonly Mutant[] = [
  ...elections,
  ...replication,
  ...readsAndTime,
  ...storage,
  ...stateAndWatches,
  ...membership,
  ...statesAndOldLog,
  ...client,
  ...sessionsAndStreams,
  ...compaction,
];
