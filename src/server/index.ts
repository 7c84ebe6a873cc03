/** Embedding a node: the same server that `rollcall server` runs. */
import { join } from 'node:path';
import type { RetentionBounds } from '../node/log-retention.ts';
import { openMember } from '../node/open-member.ts';
import { openLevel } from '../storage/level.ts';
import { openStorage } from '../storage/storage.ts';
import type { ServerOptions } from './configuration.ts';
import {
  type MemberParts,
  type RunningMember,
  type RunningServer,
  startServer as start,
} from './process.ts';

export { type ErrorCode, errorCodes, RollcallError } from '../base/errors.ts';
export type { ServerOptions } from './configuration.ts';
export type { RunningServer } from './process.ts';

/**
 * Starts a node. Resolves once both of its ports are open and, if it was born before, its state is
 * loaded; `born` on the result resolves once it belongs to a cluster, `ended` once it has ended.
 */
export function startServer(options: ServerOptions): Promise<RunningServer> {
  return start(options, (parts) => openStoredMember(options.dataDirectory, parts));
}

async function openStoredMember(dataDirectory: string, parts: MemberParts): Promise<RunningMember> {
  const { identity, birth, files, clock, retention, diskReserveBytes, quotaBytes, history } = parts;
  const { debug, ...others } = parts;
  const failpoints = debug?.failpoints;
  const storage = await openStorage({
    files,
    clock,
    identity,
    segmentBytes: segmentBytesOf(retention),
    ...(failpoints && { failpoint: (name) => failpoints.reachStorage(name) }),
    openLevel: (path) => openLevel(join(dataDirectory, path)),
  });
  try {
    const bounds = { ...retention, ...history, diskReserveBytes, quotaBytes };
    const member = await openMember({
      ...others,
      ...identity,
      ...{ birth, storage, bounds },
      ...(debug && {
        debug: { trace: debug.trace, reach: (name) => debug.failpoints.reachNode(name) },
      }),
    });
    member.start();
    return member;
  } catch (error) {
    await storage.close();
    throw error;
  }
}

const mebi = 1024 * 1024;

/** Only whole segments are given up, so a window is made of several. */
function segmentBytesOf({ logWindowBytes }: RetentionBounds): number {
  return Math.min(64 * mebi, Math.max(mebi, Math.floor(logWindowBytes / 2)));
}
