/**
 * Loaded into each node that `rollcall dev` starts: when that process is gone, however it went, the
 * node stops too, so that no node is ever left behind to hold its ports.
 */
const stopMsMax = 10_000;

process.once('disconnect', () => {
  process.kill(process.pid, 'SIGTERM');
  // Nobody else is left to end a node that does not stop.
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), stopMsMax).unref();
});
// The channel alone shall not keep the node alive.
process.channel?.unref();
