/**
 * What was done to disks and is not made good yet. Whoever damages something asks here first: there is
 * always a majority of voters whose disks are whole, so that nothing is lost that was promised. A
 * node counts as damaged until nothing bad is on its disk and its member has caught up.
 */
import type { DamagedPart } from '../../src/storage/damage.ts';
import { repairNotePath } from '../../src/storage/repair-note.ts';
import { isUp, type SimNode } from './node.ts';
import type { World } from './world.ts';

export interface Wound {
  readonly part: DamagedPart;
  /** Whether the disk still shows it. Null: a start notices it, or it is harmless from then on. */
  readonly isThere: (() => boolean) | null;
}

export class Damages {
  readonly #world: World;
  readonly #wounds = new Map<SimNode, readonly Wound[]>();
  readonly #everHurt = new Set<SimNode>();

  constructor(world: World) {
    this.#world = world;
  }

  isHurt(node: SimNode): boolean {
    const wounds = this.#wounds.get(node);
    if (wounds === undefined) return false;
    const left = wounds.filter(({ isThere }) => isThere === null || isThere());
    this.#wounds.set(node, left);
    if (left.length > 0 || !isServing(node)) return true;
    if (!this.#world.voters.includes(node)) return true;
    this.#wounds.delete(node);
    return false;
  }

  /** Whether it may be damaged, so that enough others are whole. */
  mayHurt(node: SimNode): boolean {
    return node.id !== null && this.#world.survival.without(node.id);
  }

  inflict(node: SimNode, wound: Wound): void {
    this.#world.hit('diskDamaged');
    this.#everHurt.add(node);
    this.#wounds.set(node, [...(this.#wounds.get(node) ?? []), wound]);
  }

  /** The node has read everything that a start reads. */
  opened(node: SimNode): void {
    const wounds = this.#wounds.get(node);
    if (wounds === undefined) return;
    this.#wounds.set(
      node,
      wounds.filter(({ isThere }) => isThere !== null),
    );
  }

  /** It says that something is damaged, which may show long after it has struck. */
  found(node: SimNode, text: string): void {
    if (this.#everHurt.has(node)) return;
    this.#world.violate(`${node.name} finds damage where nothing was damaged: ${text}`);
  }

  /** It was damaged, and repaired before. */
  isAgain(node: SimNode): boolean {
    return this.isHurt(node) && node.files.content(repairNotePath) !== null;
  }
}

function isServing(node: SimNode): boolean {
  const member = isUp(node) ? (node.life?.member ?? null) : null;
  return member?.ready() === true;
}
