/**
 * Runs a world event by event. Between two events everything that promises can still do without time
 * passing is done: a microtask hands over to `nextTick`, and Node runs that only once no microtask is
 * left. That is far cheaper than a turn of the event loop, which comes once in a while for the sake of
 * signals and of messages from other processes.
 */
const eventsPerTurn = 10_000;

/** Resolves when `step` returns false. */
export function drive(step: () => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    let left = eventsPerTurn;
    // Its reactions cost less than those of `queueMicrotask`, which keeps track of who asked.
    const done = Promise.resolve();
    const handOver = (): void => {
      if (--left > 0) {
        process.nextTick(run);
        return;
      }
      left = eventsPerTurn;
      setImmediate(run);
    };
    const run = (): void => {
      try {
        if (!step()) {
          resolve();
          return;
        }
      } catch (error) {
        reject(error);
        return;
      }
      void done.then(handOver);
    };
    setImmediate(run);
  });
}
