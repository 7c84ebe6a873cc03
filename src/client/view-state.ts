/**
 * The instances of one service at one revision, and what it takes to get from one such state to the
 * next: a whole view replaces everything, changes add to it. Either way the outcome is told as a
 * difference, and a revision that is not newer changes nothing. That makes a replacement after a lost
 * connection safe even from a node that lags: its older view is passed over, and of the changes that
 * follow it those up to the known revision are passed over as well.
 */
import type { Items } from '../wire/results.ts';
import { type Instance, instanceFromWire, type RemovalReason } from './instance.ts';

/** The step from one state of a view to the next. */
export interface ViewChange {
  readonly revision: number;
  readonly added: readonly Instance[];
  readonly updated: readonly Instance[];
  readonly removed: readonly { readonly instance: Instance; readonly reason: RemovalReason }[];
}

type View = Extract<Items['watchService'], { type: 'view' }>;
type Changes = Extract<Items['watchService'], { type: 'changes' }>;

export class ViewState {
  #revision = -1;
  #instances = new Map<string, Instance>();

  /** −1 before the first view. */
  get revision(): number {
    return this.#revision;
  }

  get instances(): readonly Instance[] {
    return [...this.#instances.values()];
  }

  /** Replaces all. Null if the state is newer already; with `anew` (another incarnation) it never is. */
  replace(view: View, anew: boolean): ViewChange | null {
    if (!anew && view.revision < this.#revision) return null;
    const before = this.#instances;
    const first = this.#revision === -1;
    const after = new Map<string, Instance>();
    const added: Instance[] = [];
    const updated: Instance[] = [];
    for (const wire of view.instances) {
      const instance = instanceFromWire(wire);
      const known = before.get(instance.id);
      if (known === undefined) added.push(instance);
      else if (anew || known.modRevision !== instance.modRevision) updated.push(instance);
      after.set(instance.id, instance);
    }
    const removed = [...before.values()]
      .filter((instance) => !after.has(instance.id))
      .map((instance) => ({ instance, reason: 'unknown' as const }));
    this.#revision = view.revision;
    this.#instances = after;
    if (!first && added.length + updated.length + removed.length === 0) return null;
    return { revision: view.revision, added, updated, removed };
  }

  /** Null if they are known already, or change nothing. */
  apply(changes: Changes): ViewChange | null {
    if (changes.revision <= this.#revision) return null;
    this.#revision = changes.revision;
    const added: Instance[] = [];
    const updated: Instance[] = [];
    const removed: { readonly instance: Instance; readonly reason: RemovalReason }[] = [];
    for (const event of changes.events) {
      if (event.type === 'set') {
        const instance = instanceFromWire(event.instance);
        (this.#instances.has(instance.id) ? updated : added).push(instance);
        this.#instances.set(instance.id, instance);
        continue;
      }
      const instance = this.#instances.get(event.id);
      if (instance === undefined) continue;
      this.#instances.delete(event.id);
      removed.push({ instance, reason: event.reason });
    }
    if (added.length + updated.length + removed.length === 0) return null;
    return { revision: changes.revision, added, updated, removed };
  }
}
