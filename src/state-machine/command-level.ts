/** From which feature level of the cluster on a command may be written to the log. */
import { isSecondVersion } from './operation-codec.ts';
import type { Command, LoggedCommand } from './types.ts';

/** The commands of all levels; what they say may be newer still. */
const kindLevels: { readonly [type in Command['type']]: number } = {
  put: 1,
  delete: 1,
  txn: 1,
  leaseGrant: 1,
  leaseRevoke: 1,
  leaseKeepAlive: 1,
  register: 1,
  deregister: 1,
  sessionOpen: 2,
  sessionRenew: 2,
  sessionClose: 2,
  compact: 2,
  beginIncarnation: 2,
  raiseFeatureLevel: 2,
};
const secondVersionLevel = 2;
const sessionLevel = 2;

/** A command that is written under a session says more than the command alone. */
export function levelOfLogged({ session, command }: LoggedCommand): number {
  const level = levelOf(command);
  return session === null ? level : Math.max(level, sessionLevel);
}

/**
 * A raise is of the level that it raises to: whoever can read it knows what follows it. That makes it
 * the one command that comes before its own level.
 */
export function levelOf(command: Command): number {
  const level = kindLevels[command.type];
  if (command.type === 'raiseFeatureLevel') return Math.max(level, command.level);
  return needsSecondVersion(command) ? Math.max(level, secondVersionLevel) : level;
}

/**
 * A registration or its end that depends on whose instance stands there; a put that keeps value or lease,
 * or a range with an order or bounds, be it inside a transaction.
 */
export function needsSecondVersion(command: Command): boolean {
  switch (command.type) {
    case 'put':
    case 'txn':
      return isSecondVersion(command);
    case 'register':
      return !command.replace;
    case 'deregister':
      return command.leaseId !== null;
    default:
      return false;
  }
}
