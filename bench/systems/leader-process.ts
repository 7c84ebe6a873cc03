/** What the process that leads takes of the machine, and what it does not get. */
import { readMemory, waitedMs } from '../processes.ts';

const sampleEveryMs = 50;

/** Of a span of time; memory in MiB. */
export interface LeaderSpan {
  /** Its own memory, as the span began and at most. */
  readonly ownMebibytes: number;
  readonly ownMebibytesMax: number;
  /** Pages of files that it maps: LevelDB reads its tables so. The kernel takes them back at need. */
  readonly mappedMebibytes: number;
  readonly mappedMebibytesMax: number;
  /** The share of the time in which its main thread could have run, but another one had the processor. */
  readonly waitShare: number;
}

export class LeaderProcess {
  readonly #pid: number;
  readonly #timer: NodeJS.Timeout;
  #beganMs = 0;
  #beganWaitedMs = 0;
  #began = { own: 0, mapped: 0 };
  #most = { own: 0, mapped: 0 };

  constructor(pid: number) {
    this.#pid = pid;
    this.#begin();
    this.#timer = setInterval(() => this.#sample(), sampleEveryMs);
  }

  /** Ends the span, and begins the next one. */
  lap(): LeaderSpan {
    this.#sample();
    const elapsedMs = performance.now() - this.#beganMs;
    const span = {
      ...{ ownMebibytes: this.#began.own, ownMebibytesMax: this.#most.own },
      ...{ mappedMebibytes: this.#began.mapped, mappedMebibytesMax: this.#most.mapped },
      waitShare: (waitedMs(this.#pid) - this.#beganWaitedMs) / elapsedMs,
    };
    this.#begin();
    return span;
  }

  end(): void {
    clearInterval(this.#timer);
  }

  #begin(): void {
    this.#beganMs = performance.now();
    this.#beganWaitedMs = waitedMs(this.#pid);
    this.#began = readMemory(this.#pid);
    this.#most = this.#began;
  }

  #sample(): void {
    const { own, mapped } = readMemory(this.#pid);
    this.#most = {
      own: Math.max(own, this.#most.own),
      mapped: Math.max(mapped, this.#most.mapped),
    };
  }
}
