import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Random } from '../base/prng.ts';
import type { NodeMessage } from '../format/node-message.ts';
import type { Input, NodeId, Status } from '../raft/types.ts';
import type { StateMachine } from '../state-machine/state-machine.ts';
import type { Birth, Storage } from '../storage/types.ts';
import type { ReachNodeFailpoint } from './failpoints.ts';
import type { Bounds } from './timing.ts';
import type { Trace } from './trace.ts';
import type { TransferLog } from './transfer-log.ts';
import type { PeerTransport } from './types.ts';

/** What a member is made of, and the world around it. */
export interface MemberOptions {
  readonly memberId: string;
  readonly name: string;
  readonly birth: Birth;
  /** The highest feature level that it knows. */
  readonly featureLevelMax: number;
  readonly storage: Storage;
  /** Loaded from the storage's checkpoint. */
  readonly machine: StateMachine;
  readonly transport: PeerTransport;
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Random;
  /** Where they differ from the usual ones: by the operator's choice, or to test what is rarely at its bound. */
  readonly bounds?: Partial<Bounds>;
  /** Only on a node that is being tested. */
  readonly debug?: MemberDebug;
  /** Called once: what is stored is damaged, the disk failed or an invariant broke. The member must end. */
  readonly onFatal: (error: unknown) => void;
}

export interface MemberDebug {
  /** Called at each of `nodeFailpoints`. */
  readonly reach: ReachNodeFailpoint;
  readonly trace: Trace;
}

/** What the parts of a member have in common. */
export interface SharedParts {
  readonly id: NodeId;
  readonly featureLevelMax: number;
  readonly reach: ReachNodeFailpoint;
  readonly clock: Clock;
  readonly storage: Storage;
  readonly transfers: TransferLog;
  readonly status: () => Status;
  readonly step: (input: Input) => void;
  readonly send: (message: NodeMessage) => void;
  readonly failed: (error: unknown) => void;
}
