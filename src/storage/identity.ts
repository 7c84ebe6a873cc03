/**
 * Who a data directory is. The identity is replaced as a whole: a new file is written and synced
 * under another name and then renamed, so that a power cut leaves the old one or the new one.
 */
import { assert } from '../base/assert.ts';
import { type Birth, decodeIdentity, encodeIdentity, type Identity } from '../format/identity.ts';
import type { NodeId } from '../format/types.ts';
import { damaged } from './damage.ts';
import { seal, unseal } from './sealed.ts';
import type { Files } from './types.ts';
import { walDirectory } from './wal/segment.ts';

export const identityPath = 'identity';
const unfinishedPath = `${identityPath}.unfinished`;

/** Null in a directory that nobody is yet. Throws `dataDamaged` when it must have been somebody. */
export async function loadIdentity(files: Files): Promise<Identity | null> {
  const file = await files.open(identityPath, { create: false });
  if (file === null) {
    if ((await files.list(walDirectory)).length === 0) return null;
    throw damaged('identity', identityPath, 0, 'it is missing, while a write-ahead log exists');
  }
  try {
    return unseal('identity', identityPath, await file.read(0, await file.size()), decodeIdentity);
  } finally {
    await file.close();
  }
}

/** Makes the directory a member; durable when it resolves. */
export async function mintIdentity(
  files: Files,
  name: string,
  memberId: NodeId,
): Promise<Identity> {
  const existing = await loadIdentity(files);
  assert(existing === null, () => `The directory is member ${existing?.memberId} already`);
  return await saveIdentity(files, { memberId, name, birth: null, walBegun: false });
}

/** Makes the member part of a cluster, once; durable when it resolves. Throws `dataDamaged` when it is gone. */
export async function saveBirth(files: Files, birth: Birth): Promise<Identity> {
  const identity = await loadIdentity(files);
  if (identity === null) throw damaged('identity', identityPath, 0, 'it is gone before its birth');
  assert(identity.birth === null, () => `Member ${identity.memberId} was born already`);
  return await saveIdentity(files, { ...identity, birth });
}

/** Makes a member part of another incarnation of its cluster; durable when it resolves. */
export async function replaceBirth(files: Files, birth: Birth): Promise<Identity> {
  const identity = await loadIdentity(files);
  assert(identity?.birth?.clusterId === birth.clusterId, 'A member stays in its cluster');
  return await saveIdentity(files, { ...identity, birth });
}

/** Makes a directory, in which state and log are ready, a member; durable when it resolves. */
export async function saveSeeded(files: Files, identity: Identity): Promise<Identity> {
  return await saveIdentity(files, identity);
}

/** Makes the directory nobody's; the caller syncs it. */
export async function removeIdentity(files: Files): Promise<void> {
  await files.remove(identityPath);
  await files.remove(unfinishedPath);
}

/** Records that the first segment of the write-ahead log is durable. */
export async function saveWalBegun(files: Files, identity: Identity): Promise<Identity> {
  return await saveIdentity(files, { ...identity, walBegun: true });
}

async function saveIdentity(files: Files, identity: Identity): Promise<Identity> {
  await files.remove(unfinishedPath);
  const file = await files.open(unfinishedPath, { create: true });
  assert(file !== null, 'A file that is created is there');
  try {
    await file.write(
      0,
      seal((writer) => encodeIdentity(writer, identity)),
    );
    await file.sync();
  } finally {
    await file.close();
  }
  await files.rename(unfinishedPath, identityPath);
  await files.syncDirectory('');
  return identity;
}
