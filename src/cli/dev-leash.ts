/**
 * Loaded into each node that `rollcall dev` starts: when that process is gone, however it went, the
 * node stops too, so that no node is ever left behind to hold its ports.
 */
const stopMsMax = 10_000;

function stop(): void {
  process.kill(process.pid, 'SIGTERM');
  // Nobody else is left to end a node that does not stop.
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), stopMsMax).unref();
}

// It may have gone while this node was being loaded.
if (process.connected) process.once('disconnect', stop);
else stop();
// The channel alone shall not keep the node alive.
process.channel?.unref();
