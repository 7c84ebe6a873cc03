/**
 * What one seed draws before anything happens: which faults exist at all and how strong they are, the
 * size of the cluster, the bounds of the storage, the habits of the clients. All faults in every run
 * would hide more than they show.
 */
import type { Random } from '../../src/base/prng.ts';
import type { Bounds } from '../../src/node/timing.ts';
import { fairWeather, type Weather } from './network.ts';
import { between, chance, pick, stream } from './random.ts';

export interface Swarm {
  readonly seed: number;
  readonly nodes: 3 | 4 | 5;
  /** So many of them run an older program until they are restarted for the first time. */
  readonly older: number;
  /** How long the faults last. */
  readonly safetyMs: number;
  readonly weather: Weather;
  readonly acrossLives: boolean;
  readonly syncMsMin: number;
  readonly syncMsMean: number;
  /** Clocks run fast or slow by up to this share. */
  readonly drift: number;
  readonly wallSkewMs: number;
  readonly segmentBytes: number;
  readonly generationBytesMax: number;
  readonly generationAgeMsMax: number;
  readonly valueCacheBytesMax: number;
  /** What differs from the member's usual bounds. */
  readonly bounds: Partial<Bounds>;
  /** Few faults, which come to their own: in a storm none that takes its time gets far. */
  readonly isCalm: boolean;
  readonly faultEveryMs: number;
  readonly clients: number;
  readonly thinkMs: number;
  readonly requestTimeoutMs: number;
  readonly keys: number;
  /** So many frames on their way to a client make its streams wait. */
  readonly backlogMax: number;
}

export function drawSwarm(seed: number): Swarm {
  const random = stream(seed, 'swarm');
  const drift = pick(random, [0, 0, 0.01, 0.1]);
  const isLogShort = chance(random, 0.4);
  const isCalm = chance(stream(seed, 'calm'), 0.3);
  return {
    seed,
    // Four can be cut in halves.
    nodes: pick(random, [3, 3, 3, 4, 5, 5]),
    older: pick(stream(seed, 'older'), [0, 0, 0, 0, 1, 2, 3]),
    // Some are long enough for a member to give up on what it waits for.
    safetyMs: chance(random, 0.15) ? between(random, 5000, 7000) : between(random, 2200, 3600),
    weather: drawWeather(random),
    acrossLives: chance(random, 0.3),
    syncMsMin: pick(random, [0.05, 0.2, 2]),
    syncMsMean: pick(random, [0.1, 1, 5]),
    drift,
    wallSkewMs: pick(random, [0, 1000, 3_600_000]),
    segmentBytes: isLogShort ? shortLog.segmentBytes : pick(random, [24, 64, 1024]) * 1024,
    generationBytesMax: isLogShort
      ? pick(stream(seed, 'generation'), shortLog.generationBytesMax)
      : pick(random, [1, 2048, 65_536, 16 * 1024 * 1024]),
    generationAgeMsMax: pick(random, [20, 300, 5000]),
    valueCacheBytesMax: pick(random, [1, 1024, 1024 * 1024]),
    bounds: {
      ...usualWindow,
      ...drawBounds(random),
      ...(isLogShort ? shortLog.bounds : {}),
      ...drawBacklog(stream(seed, 'backlog')),
      ...drawPipeline(stream(seed, 'pipeline')),
    },
    isCalm,
    faultEveryMs: between(random, 60, 145) * (isCalm ? 4 : 1),
    clients: pick(random, [2, 4, 6]),
    thinkMs: pick(random, [5, 15, 40]),
    requestTimeoutMs: pick(random, [300, 1000, 8000]),
    keys: pick(random, [1, 3, 8]),
    backlogMax: pick(random, [0, 3, 1000]),
  };
}

const boundExtremes: { readonly [name in keyof Bounds]?: readonly number[] } = {
  entryCommandsMax: [1, 5],
  entriesInFlightMax: [1, 50],
  entryCommandsWorthwhile: [1, 5],
  entriesPerMessageMax: [1, 5, 50],
  bytesPerMessageMax: [1, 500],
  inflightMessagesMax: [1, 5],
  inflightBytesMax: [1, 1000],
  logBytesPerCut: [1, 1000, 50_000],
  requestTimeoutMs: [250, 1000],
};

/**
 * Messages overtake each other here, and all that were sent after one that came too early are sent once
 * more: hundreds of them at once would drown everything else.
 */
const usualWindow = { inflightMessagesMax: 20 } as const;

/** Log is given up soon, so that whoever is behind has to take over a state. */
const shortLog = {
  segmentBytes: 12 * 1024,
  generationBytesMax: [1, 1, 1, 65_536],
  bounds: { logWindowBytes: 1, logRetainedBytesMax: 40_000, owedPatienceMs: 500 },
} as const;

function drawBounds(random: Random): Partial<Bounds> {
  const drawn = Object.entries(boundExtremes)
    .filter(() => chance(random, 0.35))
    .map(([name, extremes]) => [name, pick(random, extremes)] as const);
  return Object.fromEntries(drawn);
}

/** Each write has an entry of its own, and none waits for another: leaders have long ends of their own. */
function drawPipeline(random: Random): Partial<Bounds> {
  if (!chance(random, 0.4)) return {};
  const entryCommandsMax = pick(random, [1, 3]);
  return { entryCommandsWorthwhile: 1, entriesInFlightMax: 50, entryCommandsMax };
}

/** What waits to be applied is often read from the log again. */
function drawBacklog(random: Random): Partial<Bounds> {
  return chance(random, 0.5) ? { backlogBytesMax: pick(random, [1, 3000]) } : {};
}

export function drawWeather(random: Random): Weather {
  if (chance(random, 0.25)) return fairWeather;
  return {
    delayMsMin: pick(random, [0.05, 0.5, 3]),
    delayMsMean: pick(random, [0.1, 1, 5, 15]),
    tail: pick(random, [0, 0, 0.005, 0.05]),
    tailMs: pick(random, [50, 400]),
    loss: pick(random, [0, 0, 0.01, 0.1, 0.25]),
    repeat: pick(random, [0, 0, 0.05, 0.3]),
    replay: pick(random, [0, 0, 0.005, 0.02]),
    replayMs: pick(random, [500, 5000]),
  };
}
