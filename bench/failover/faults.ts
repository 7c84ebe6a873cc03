/** What is done to the process that leads. */

export type FaultName = 'kill' | 'stop' | 'pause';

export interface Fault {
  readonly name: FaultName;
  readonly signal: 'SIGKILL' | 'SIGTERM' | 'SIGSTOP';
  /** The most that the project promises, of the median and of the worst round. */
  readonly medianMsMax: number | null;
  readonly worstMsMax: number | null;
}

export const faults: readonly Fault[] = [
  { name: 'kill', signal: 'SIGKILL', medianMsMax: 150, worstMsMax: 500 },
  { name: 'stop', signal: 'SIGTERM', medianMsMax: 20, worstMsMax: null },
  { name: 'pause', signal: 'SIGSTOP', medianMsMax: null, worstMsMax: 1_200 },
];
