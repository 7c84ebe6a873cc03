/** One machine of the world: its disk, which outlives everything, and the process that runs on it, if any. */
import type { Member } from '../../src/node/member.ts';
import type { NodeId } from '../../src/raft/types.ts';
import type { StorageFailpoint } from '../../src/storage/failpoints.ts';
import type { SimDisk } from './disk.ts';
import type { Endpoint } from './endpoint.ts';
import type { SimulatedFiles } from './files.ts';
import type { ClockError, NodeClock } from './node-clock.ts';
import type { Port } from './port.ts';
import type { Power } from './power.ts';
import type { Answering, Listener, Served } from './sockets.ts';

/** One process from its start to its end. */
export class Life implements Listener {
  readonly party: string;
  readonly clock: NodeClock;
  /** Null until it is known who the directory is. */
  port: Port | null = null;
  /** Null until it is born, its storage is open and the state loaded. */
  member: Member | null = null;
  endpoint: Endpoint | null = null;
  /** It has been asked to stop. */
  isStopping = false;

  constructor(party: string, clock: NodeClock) {
    this.party = party;
    this.clock = clock;
  }

  get listens(): boolean {
    return !this.clock.isOver && this.endpoint !== null;
  }

  accept(answering: Answering): Served {
    if (this.endpoint === null) throw new Error(`${this.party} does not listen`);
    return this.endpoint.accept(answering);
  }
}

export interface SimNode {
  readonly name: string;
  /** The member that its directory is; null while it is nobody. */
  id: NodeId | null;
  /** Where clients find it. */
  address: string;
  peerAddress: string;
  /** Of the program that is started there. */
  featureLevelMax: number;
  readonly clockError: ClockError;
  readonly disk: SimDisk;
  /** What is to happen at one of the storage's named places; null when nothing is. */
  failpoint: { readonly name: StorageFailpoint; readonly reached: () => Promise<void> } | null;
  files: SimulatedFiles;
  power: Power;
  /** The newest process, also after its end; null while the machine is without power. */
  life: Life | null;
  /** Nobody may start it again: what broke it is there to stay. */
  isLost: boolean;
}

export function isUp(node: SimNode): boolean {
  return node.life !== null && !node.life.clock.isOver;
}

export function appliedBy(node: SimNode): number {
  return node.life?.member?.status().appliedIndex ?? 0;
}
