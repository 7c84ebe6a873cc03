/** What a process that asks the servers does with its parent: one job at a time, each with one end. */

export type JobEnd =
  | { readonly type: 'done' }
  | { readonly type: 'failed'; readonly message: string };

/** Runs every job that the parent sends. This process lives as long as its parent does. */
export function answerEach<J>(run: (job: J) => Promise<void>): void {
  const report = (end: JobEnd) => process.send?.(end);
  process.on('disconnect', () => process.exit(0));
  process.on('message', (job) => {
    run(job as J).then(
      () => report({ type: 'done' }),
      (error: Error) => report({ type: 'failed', message: error.message }),
    );
  });
}
