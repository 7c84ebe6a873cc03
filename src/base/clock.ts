/** Time as it enters the program. Only the outermost layer has a real one; the simulator has its own. */
export interface Clock {
  /** Milliseconds that never go back, from an arbitrary start. Fractions allowed. */
  monotonic(): number;
  /** Milliseconds since 1970-01-01, as people see them. Jumps when somebody sets the clock. */
  wall(): number;
  /** Calls back once after `delayMs`, never synchronously. */
  after(delayMs: number, callback: () => void): Timer;
  /** Calls back once the sockets that are readable now have been read. */
  soon(callback: () => void): void;
}

export interface Timer {
  cancel(): void;
}
