import type { Clock } from '../base/clock.ts';
import type { Random } from '../base/prng.ts';
import type { StateMachine } from '../state-machine/state-machine.ts';
import type { Birth, Storage } from '../storage/types.ts';
import type { Bounds } from './timing.ts';
import type { PeerTransport } from './types.ts';

/** What a member is made of, and the world around it. */
export interface MemberOptions {
  readonly memberId: string;
  readonly name: string;
  readonly birth: Birth;
  readonly storage: Storage;
  /** Loaded from the storage's checkpoint. */
  readonly machine: StateMachine;
  readonly transport: PeerTransport;
  readonly clock: Clock;
  readonly random: Random;
  /** Where they differ from the usual ones: by the operator's choice, or to test what is rarely at its bound. */
  readonly bounds?: Partial<Bounds>;
  /** Called once: what is stored is damaged, the disk failed or an invariant broke. The member must end. */
  readonly onFatal: (error: unknown) => void;
}
