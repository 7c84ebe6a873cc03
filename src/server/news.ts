/**
 * Tells the log what has become of a member: who leads, whether it was removed, its cluster's level, its
 * disk's room, and its quota.
 */
import type { Log } from '../base/log.ts';
import type { MemberApi, MemberStatus, Trouble } from '../node/types.ts';

export function tellNews(member: MemberApi, log: Log): void {
  let toldOfLeader: string | null = null;
  let toldShort = false;
  let toldQuota: Trouble | null = null;
  let toldLevel = member.status().featureLevel;
  member.onStatusChange(() => {
    const status = member.status();
    const isShort = status.troubles.includes('noSpace');
    if (isShort !== toldShort) tellOfSpace(isShort, log);
    toldShort = isShort;
    const quota = status.troubles.find((trouble) => quotaTroubles.includes(trouble)) ?? null;
    if (quota !== toldQuota) tellOfQuota(quota, status, log);
    toldQuota = quota;
    const { featureLevel } = status;
    if (featureLevel > toldLevel) {
      log.info({ featureLevel }, `The cluster has come to feature level ${featureLevel}`);
    }
    toldLevel = featureLevel;
    const news =
      status.standing === 'removed' ? status.standing : `${status.leaderId} ${status.term}`;
    if (news !== toldOfLeader) tellOfCluster(status, log);
    toldOfLeader = news;
  });
}

function tellOfCluster(status: MemberStatus, log: Log): void {
  const { clusterId, name, leaderId, leaderName, role, standing, term } = status;
  if (standing === 'removed') {
    const message = `Node "${name}" was removed from cluster ${clusterId}: it serves nothing any more`;
    log.warn({ clusterId }, message);
  } else if (leaderId === null) {
    log.info({ term, role }, 'No leader is known');
  } else {
    const who = role === 'leader' ? ': this node' : '';
    log.info({ term, role }, `"${leaderName ?? leaderId}" leads${who}`);
  }
}

const quotaTroubles: readonly Trouble[] = ['quotaNear', 'quotaFull'];
const mebi = 1024 * 1024;

function tellOfQuota(trouble: Trouble | null, status: MemberStatus, log: Log): void {
  const { storedBytes, quotaBytes } = status;
  const share = `${Math.floor(storedBytes / mebi)} of ${Math.floor(quotaBytes / mebi)} MiB are stored`;
  if (trouble === 'quotaFull') {
    log.warn(
      { storedBytes },
      `${share}: nothing more is, until deletions and compaction make room`,
    );
  } else if (trouble === 'quotaNear') {
    log.warn({ storedBytes }, `${share}: the quota is near`);
  } else {
    log.info({ storedBytes }, `${share}: the quota is far again`);
  }
}

function tellOfSpace(isShort: boolean, log: Log): void {
  if (isShort) {
    log.warn(
      {},
      'The disk has less room than its reserve: nothing should be stored on it any more',
    );
  } else {
    log.info({}, 'The disk has room again');
  }
}
