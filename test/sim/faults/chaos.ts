/** Draws what strikes next, and ends what has struck. */
import type { Random } from '../../../src/base/prng.ts';
import { exponential, stream } from '../random.ts';
import type { World } from '../world.ts';
import { clockFaults } from './clock.ts';
import { comebackFaults } from './comeback.ts';
import { damageFaults } from './damage.ts';
import { diskFaults } from './disk.ts';
import { failpointFaults } from './failpoints.ts';
import type { Fault, FaultFamily, Struck } from './fault.ts';
import { linkFaults } from './links.ts';
import { lostDiskFaults } from './lost-disks.ts';
import { membershipFaults } from './membership.ts';
import { processFaults } from './process.ts';
import { transferFaults } from './transfer.ts';
import { weatherFaults } from './weather.ts';

const families: readonly FaultFamily[] = [
  processFaults,
  linkFaults,
  comebackFaults,
  diskFaults,
  failpointFaults,
  transferFaults,
  membershipFaults,
  lostDiskFaults,
  weatherFaults,
  clockFaults,
  damageFaults,
];

/** How often it draws again when a fault finds nothing to hit. */
const triesMax = 3;

export class Chaos {
  readonly #world: World;
  readonly #faults: readonly Fault[];
  readonly #active = new Set<() => void>();
  #isStopped = false;

  constructor(world: World) {
    this.#world = world;
    const random = stream(world.swarm.seed, 'families');
    const drawn = families.flatMap((family) => family(random, world));
    // A seed without any fault would test nothing.
    this.#faults = drawn.length > 0 ? drawn : families.flatMap((family) => all(family, world));
  }

  get names(): readonly string[] {
    return this.#faults.map(({ name }) => name);
  }

  async run(): Promise<void> {
    const { random, swarm } = this.#world;
    while (!this.#isStopped) {
      await this.#world.sleep(exponential(random, swarm.faultEveryMs));
      if (!this.#isStopped) this.#strike();
    }
  }

  /** No more faults; those that last go on until `endAll`. */
  stop(): void {
    this.#isStopped = true;
  }

  endAll(): void {
    for (const end of [...this.#active]) end();
  }

  #strike(): void {
    let fault = this.#pick(this.#world.random);
    let struck = fault.strike(this.#world);
    for (let tries = 1; struck === null && tries < triesMax; tries++) {
      fault = this.#pick(this.#world.random);
      struck = fault.strike(this.#world);
    }
    if (struck !== null) this.#begin(fault, struck);
  }

  #begin(fault: Fault, struck: Struck): void {
    this.#world.count(fault.name, () => `${struck.text}, ${struck.lastsMs.toFixed(0)} ms`);
    const end = (): void => {
      if (!this.#active.delete(end)) return;
      this.#world.trace.say('fault', () => `${fault.name} ends: ${struck.text}`);
      struck.end();
    };
    this.#active.add(end);
    this.#world.clock.after(struck.lastsMs, end);
  }

  #pick(random: Random): Fault {
    const sum = this.#faults.reduce((total, { weight }) => total + weight, 0);
    let left = random() * sum;
    for (const fault of this.#faults) {
      left -= fault.weight;
      if (left < 0) return fault;
    }
    return this.#faults[0] as Fault;
  }
}

/** Every kind of a family: its draws all say yes. */
function all(family: FaultFamily, world: World): readonly Fault[] {
  return family(() => 0, world);
}
