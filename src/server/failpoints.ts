/**
 * The failpoints of a running node: places named in the code at which a test makes the process end,
 * throw or stand still. All of them are off until somebody arms one.
 */
import type { Clock } from '../base/clock.ts';
import { RollcallError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { type NodeFailpoint, nodeFailpoints } from '../node/failpoints.ts';
import { type StorageFailpoint, storageFailpoints } from '../storage/failpoints.ts';

export type FailpointName = NodeFailpoint | StorageFailpoint;

const descriptions: Readonly<Record<FailpointName, string>> = {
  ...nodeFailpoints,
  ...storageFailpoints,
};

/**
 * `crash`: the process is gone at once, like by SIGKILL. `throw`: in the storage the disk has failed,
 * elsewhere the program has a bug; either ends the node. `delay`: in the storage the operation waits
 * while the node goes on, elsewhere the whole process stands still.
 */
export type FailpointAction = 'crash' | 'throw' | 'delay';

export interface Arming {
  readonly action: FailpointAction;
  /** 0 unless the action is `delay`. */
  readonly delayMs: number;
  /** So many times the place is passed as if nothing were there. */
  readonly skip: number;
  /** So many times it strikes after that; then it is off. */
  readonly times: number;
}

export interface FailpointReport {
  readonly name: FailpointName;
  readonly description: string;
  /** How often the process came by since its start. */
  readonly reached: number;
  /** What is left of it; null when it is off. */
  readonly armed: Arming | null;
}

/** What failpoints do to the process. */
export interface FailpointEffects {
  readonly clock: Pick<Clock, 'after'>;
  readonly log: Log;
  /** Does not return. */
  readonly crash: () => void;
  /** Returns after so long, with nothing done meanwhile. */
  readonly block: (delayMs: number) => void;
}

export class Failpoints {
  readonly #effects: FailpointEffects;
  readonly #armed = new Map<FailpointName, Arming>();
  readonly #reached = new Map<FailpointName, number>();

  constructor(effects: FailpointEffects) {
    this.#effects = effects;
  }

  /** To be called at the storage's places. */
  reachStorage(name: StorageFailpoint): void | Promise<void> {
    const struck = this.#reach(name);
    if (struck?.action === 'throw') {
      throw new RollcallError('storageFailed', `The failpoint ${name} was armed to throw`);
    }
    if (struck?.action !== 'delay') return;
    return new Promise((resolve) => {
      this.#effects.clock.after(struck.delayMs, resolve);
    });
  }

  /** To be called at the other places. */
  reachNode(name: NodeFailpoint): void {
    const struck = this.#reach(name);
    if (struck?.action === 'throw') {
      throw new RollcallError('internal', `The failpoint ${name} was armed to throw`);
    }
    if (struck?.action === 'delay') this.#effects.block(struck.delayMs);
  }

  arm(name: FailpointName, arming: Arming): void {
    this.#armed.set(name, arming);
    this.#effects.log.warn({ failpoint: name, ...arming }, `The failpoint ${name} is armed`);
  }

  disarm(name: FailpointName): void {
    if (this.#armed.delete(name)) {
      this.#effects.log.warn({ failpoint: name }, `The failpoint ${name} is off again`);
    }
  }

  report(name: FailpointName): FailpointReport {
    return {
      name,
      description: descriptions[name],
      reached: this.#reached.get(name) ?? 0,
      armed: this.#armed.get(name) ?? null,
    };
  }

  list(): readonly FailpointReport[] {
    return Object.keys(descriptions)
      .filter(isFailpoint)
      .map((name) => this.report(name));
  }

  /** What happens here now; ends the process by itself. */
  #reach(name: FailpointName): Arming | null {
    this.#reached.set(name, (this.#reached.get(name) ?? 0) + 1);
    const arming = this.#armed.get(name);
    if (arming === undefined) return null;
    if (arming.skip > 0) {
      this.#armed.set(name, { ...arming, skip: arming.skip - 1 });
      return null;
    }
    if (arming.times > 1) this.#armed.set(name, { ...arming, times: arming.times - 1 });
    else this.#armed.delete(name);
    const { log, crash } = this.#effects;
    log.warn({ failpoint: name, action: arming.action }, `The failpoint ${name} strikes`);
    if (arming.action === 'crash') crash();
    return arming;
  }
}

export function isFailpoint(name: string): name is FailpointName {
  return Object.hasOwn(descriptions, name);
}
