/** What a seed draws before a run: which troubles there are, how much of each, and who takes part. */
import type { MemberChange, NodeId, Status } from '../../src/raft/types.ts';
import type { Dice } from './dice.ts';
import { configurationOf, type Setup } from './member.ts';

/** Probabilities per tick or event, or the longest delay in ticks. */
export interface Troubles {
  readonly loss: number;
  readonly duplication: number;
  readonly replay: number;
  readonly delayMax: number;
  readonly diskDelayMax: number;
  readonly crash: number;
  readonly pause: number;
  readonly partition: number;
  readonly lazyReady: number;
  readonly compaction: number;
  readonly release: number;
  readonly logReadDelayMax: number;
  readonly failedLogRead: number;
  readonly change: number;
  readonly transfer: number;
  /** A crash is noticed by the others. */
  readonly noticedCrash: number;
  /** A leader is taken for gone that is not. */
  readonly falseAlarm: number;
  readonly fetchDelayMax: number;
  /** A state is fetched that nobody offered, from anybody. */
  readonly strayFetch: number;
}

export const noTroubles: Troubles = {
  loss: 0,
  duplication: 0,
  replay: 0,
  delayMax: 0,
  diskDelayMax: 0,
  crash: 0,
  pause: 0,
  partition: 0,
  lazyReady: 0,
  compaction: 0,
  release: 0,
  logReadDelayMax: 0,
  failedLogRead: 0,
  change: 0,
  transfer: 0,
  noticedCrash: 0,
  falseAlarm: 0,
  fetchDelayMax: 5,
  strayFetch: 0,
};

/** Each kind is absent in half of the runs: all of them all the time would hide much. */
export function drawTroubles(dice: Dice): Troubles {
  const maybe = (most: number): number => (dice.chance(0.5) ? dice.random() * most : 0);
  return {
    loss: maybe(0.3),
    duplication: maybe(0.3),
    replay: maybe(0.2),
    delayMax: dice.pick([0, 1, 3, 15]),
    diskDelayMax: dice.pick([0, 1, 4, 25]),
    crash: maybe(0.02),
    pause: maybe(0.02),
    partition: maybe(0.05),
    lazyReady: maybe(0.5),
    compaction: maybe(0.1),
    release: maybe(1),
    logReadDelayMax: dice.pick([0, 4]),
    failedLogRead: maybe(0.5),
    change: maybe(0.1),
    transfer: maybe(0.03),
    noticedCrash: maybe(1),
    falseAlarm: maybe(0.02),
    fetchDelayMax: dice.pick([0, 5, 60]),
    strayFetch: maybe(0.02),
  };
}

/** The members at birth, of those there are; the others can be added. */
export function drawSetup(dice: Dice, ids: readonly NodeId[]): Setup {
  const shapes: readonly Pick<Setup, 'voters' | 'votersOutgoing' | 'learners'>[] = [
    { voters: ids.slice(0, 3) },
    { voters: ids.slice(0, 3) },
    { voters: ids.slice(0, 5) },
    { voters: ids.slice(0, 1) },
    { voters: ids.slice(0, 2) },
    { voters: ids.slice(0, 3), learners: ids.slice(3, 5) },
    { voters: ids.slice(0, 3), votersOutgoing: ids.slice(2, 5) },
  ];
  return {
    ...dice.pick(shapes),
    options: {
      random: dice.random,
      entriesPerMessageMax: dice.pick([1, 3, 100]),
      bytesPerMessageMax: dice.pick([1, 200, 1 << 20]),
      inflightMessagesMax: dice.pick([1, 2, 16]),
      inflightBytesMax: dice.pick([1, 300, 1 << 20]),
      earlyCampaignTicks: dice.pick([1, 3, 6]),
    },
  };
}

/** Something to ask of a leader; whether it may be is for the core to say. */
export function drawChanges(
  dice: Dice,
  { configuration }: Status,
  ids: readonly NodeId[],
): MemberChange[] {
  const { members, learners, voters } = configuration;
  const known = members.map(({ id }) => id);
  const changes: MemberChange[] = [];
  do {
    const strangers = ids.filter((id) => !known.includes(id));
    const roll = dice.random();
    if (roll < 0.3 && strangers.length > 0) {
      const [member] = configurationOf([dice.pick(strangers)]).members;
      const replaces = dice.chance(0.5) ? dice.pick(known) : null;
      if (member !== undefined) {
        changes.push({ type: 'add', member: { ...member, replaces, autoPromote: true } });
      }
    } else if (roll < 0.7 && learners.length > 0) {
      changes.push({ type: 'promote', id: dice.pick(learners) });
    } else if (roll < 0.8) {
      changes.push({ type: 'demote', id: dice.pick(voters) });
    } else {
      changes.push({ type: 'remove', id: dice.pick(known) });
    }
  } while (dice.chance(0.4));
  return changes;
}
