/**
 * The end of the npm that started this process.
 *
 * npm runs a script in a shell, and passes SIGTERM on to that shell alone, which dies of it without a
 * word to what it runs; killed, npm passes on nothing. So whoever stops the npm of an `npm start` would
 * leave the cluster behind. Here the process looks for itself whether those above it are still there.
 *
 * A hangup is no such end: the npm of a `nohup npm start` dies of it, as Node undoes at every start
 * what nohup has done, and the cluster stays.
 */
import { readFileSync } from 'node:fs';

const lookMs = 500;
/** The other scripts of npm may well leave something running in the background. */
const foregroundEvents: readonly (string | undefined)[] = ['start', 'npx'];

interface NpmEnvironment {
  readonly npm_lifecycle_event?: string | undefined;
  /** The program that the shell ran last. */
  readonly _?: string | undefined;
}

/** Calls the listener once, when npm started this process and is gone; returns the way to stop looking. */
export function onParentEnd(environment: NpmEnvironment, listener: () => void): () => void {
  if (!foregroundEvents.includes(environment.npm_lifecycle_event)) return () => {};
  const parent = process.ppid;
  // This is the only trace of nohup. With it, npm alone may have died of a hangup too.
  const isNohup = environment._?.endsWith('/nohup') === true;
  const npm = isNohup ? null : shellParent(parent);
  let isHungUp = false;
  let missing = 0;
  const hangUp = (): void => {
    isHungUp = true;
  };
  const timer = setInterval(() => {
    const isThere = process.ppid === parent && (npm === null || parentOf(parent) === npm);
    missing = isThere || isHungUp ? 0 : missing + 1;
    // The second time: a hangup that ended the parent may still be on its way to this process.
    if (missing < 2) return;
    clearInterval(timer);
    listener();
  }, lookMs);
  timer.unref();
  process.on('SIGHUP', hangUp);
  return () => {
    clearInterval(timer);
    process.off('SIGHUP', hangUp);
  };
}

/** The parent of a shell that runs one command, `sh -c …`; null for another process, or where /proc is not. */
function shellParent(pid: number): number | null {
  try {
    const [, flag] = readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0');
    return flag === '-c' ? parentOf(pid) : null;
  } catch {
    return null;
  }
}

function parentOf(pid: number): number | null {
  try {
    const [, parent] = /^PPid:\s*(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1')) ?? [];
    return parent === undefined ? null : Number(parent);
  } catch {
    return null;
  }
}
