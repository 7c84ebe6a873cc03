/**
 * Leadership on its way to another member: who asked for it, and whether it has arrived. The core does
 * the handing over and gives up by itself after an election timeout.
 */
import { RollcallError } from '../base/errors.ts';
import type { NodeId } from '../raft/types.ts';
import type { Reply } from './types.ts';

interface Waiting {
  /** Null: any other member. */
  readonly to: NodeId | null;
  readonly reply: Reply;
}

export class Handover {
  #waiting: Waiting[] = [];

  begin(to: NodeId | null, reply: Reply): void {
    this.#waiting.push({ to, reply });
  }

  /** Somebody leads: `leaderId`. `ownId` is the one that handed over. */
  led(leaderId: NodeId, ownId: NodeId, revision: number, nameOf: (id: NodeId) => string): void {
    if (leaderId === ownId) return;
    const leaderName = nameOf(leaderId);
    for (const { to, reply } of this.#take()) {
      if (to === null || to === leaderId) {
        reply({ revision, result: { type: 'transferLeadership', leaderId, leaderName } });
      } else {
        reply(
          new RollcallError('transferFailed', `"${leaderName}" leads now, not "${nameOf(to)}"`),
        );
      }
    }
  }

  /** To be called now and then: has the transfer come to nothing, and nobody else leads? */
  expire(hasFailed: boolean): void {
    if (!hasFailed) return;
    for (const { reply } of this.#take()) {
      // In doubt: the word to campaign may be on its way still, and be followed late.
      reply(new RollcallError('transferFailed', 'The other node did not take over in time'));
    }
  }

  close(error: RollcallError): void {
    for (const { reply } of this.#take()) reply(error);
  }

  #take(): readonly Waiting[] {
    const waiting = this.#waiting;
    this.#waiting = [];
    return waiting;
  }
}
