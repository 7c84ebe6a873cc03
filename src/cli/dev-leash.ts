/**
 * Loaded into each node that `rollcall dev` starts: when that process is gone, however it went, the
 * node stops too, so that no node is ever left behind to hold its ports.
 */
process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
// The channel alone shall not keep the node alive.
process.channel?.unref();
