/**
 * What every family of faults provides. A family is one file: it draws, from the seed, which of its kinds
 * this world has and how strong they are. A new family joins the list in `chaos.ts`; nothing else changes.
 */
import type { Random } from '../../../src/base/prng.ts';
import type { World } from '../world.ts';

export interface Fault {
  readonly name: string;
  /** How often it strikes in comparison with the others. */
  readonly weight: number;
  /** Null when there was nothing to hit. */
  strike(world: World): Struck | null;
}

export interface Struck {
  /** Whom it hit, for the trace. */
  readonly text: string;
  readonly lastsMs: number;
  /** Ends it. What ends by itself does nothing here. */
  end(): void;
}

export type FaultFamily = (random: Random, world: World) => readonly Fault[];

/** Half of the kinds, and more of those that hit leaders: without a change of leaders little happens. */
export function draw(random: Random, kinds: readonly Fault[]): readonly Fault[] {
  return kinds.filter(({ name }) => random() < (name.includes('Leader') ? 0.75 : 0.5));
}

/** For what ends by itself. */
export const nothing = (): void => {};
