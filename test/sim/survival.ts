/**
 * What a cluster survives: as long as a majority of every configuration by which some member may decide
 * keeps its data, and works, nothing is lost and it goes on. The oracle of the faults that are not to
 * kill it.
 */
import type { Configuration, NodeId } from '../../src/raft/types.ts';
import { isQuorum, settled } from './checks/configurations.ts';
import type { World } from './world.ts';

export class Survival {
  readonly #world: World;
  /** How many have asked for their removal, and do not know whether it will happen. */
  readonly #leaving = new Map<NodeId, number>();

  constructor(world: World) {
    this.#world = world;
  }

  /** A member may leave from now on. Returns the way to take that back, if it surely will not. */
  leaves(id: NodeId): () => void {
    this.#leaving.set(id, (this.#leaving.get(id) ?? 0) + 1);
    return () => {
      const left = (this.#leaving.get(id) ?? 0) - 1;
      if (left > 0) this.#leaving.set(id, left);
      else this.#leaving.delete(id);
    };
  }

  /** Would enough be left without these, and without the disks that are lost or damaged? */
  without(...ids: readonly NodeId[]): boolean {
    const { observer, damages } = this.#world;
    const isLeft = (id: NodeId): boolean => {
      const machine = this.#world.machineOf(id);
      return machine !== null && !ids.includes(id) && !damages.isHurt(machine);
    };
    return observer.inForce
      .flatMap((configuration) => this.#successors(configuration))
      .every((configuration) => isQuorum(configuration, isLeft));
  }

  /** What may be in force before long: it, and what it may become by what is under way. */
  #successors(configuration: Configuration): readonly Configuration[] {
    const next = settled(configuration);
    const promotions = [...next.learners.map((id) => [id]), next.learners, []];
    const leaving = [...this.#leaving.keys()];
    const removals = [...leaving.map((id) => [id]), leaving, []];
    const found = promotions.flatMap((promoted) =>
      removals.map((removed) => changed(next, promoted, removed)),
    );
    return [configuration, ...found.filter(({ voters }) => voters.length > 0)];
  }
}

function changed(
  configuration: Configuration,
  promoted: readonly NodeId[],
  removed: readonly NodeId[],
): Configuration {
  const replaced = configuration.members
    .filter(({ id }) => promoted.includes(id))
    .map(({ replaces }) => replaces);
  const voters = [...configuration.voters, ...promoted].filter(
    (id) => !removed.includes(id) && !replaced.includes(id),
  );
  return { ...configuration, voters };
}
