/** What a follower may suffer from while it does not end. */
import type { Follower } from '../systems/follower.ts';

export type SicknessName = 'hung' | 'slow' | 'far';

export interface Sickness {
  readonly name: SicknessName;
  /** Begins now, and ends when the returned function is called. */
  readonly strike: (follower: Follower) => () => void;
}

const runMs = 10;
const standMs = 90;
const farBytesPerSecond = 64 * 1024;

export const sicknesses: readonly Sickness[] = [
  { name: 'hung', strike: hang },
  { name: 'slow', strike: slowDown },
  { name: 'far', strike: moveAway },
];

function hang(follower: Follower): () => void {
  follower.process.kill('SIGSTOP');
  return () => follower.process.kill('SIGCONT');
}

function slowDown(follower: Follower): () => void {
  let timer: NodeJS.Timeout;
  const stand = () => {
    follower.process.kill('SIGSTOP');
    timer = setTimeout(run, standMs);
  };
  const run = () => {
    follower.process.kill('SIGCONT');
    timer = setTimeout(stand, runMs);
  };
  stand();
  return () => {
    clearTimeout(timer);
    follower.process.kill('SIGCONT');
  };
}

function moveAway({ link }: Follower): () => void {
  if (link === null) throw new Error('The nodes are not linked');
  link.limit(farBytesPerSecond);
  return () => link.limit(null);
}
