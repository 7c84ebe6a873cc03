/** When a value was sent, in its first bytes: whoever gets it can tell how late that is. */
const stampBytes = 8;

/** Writes the present time, comparable between the processes of a machine, into a value of enough bytes. */
export function stamp(value: Uint8Array): void {
  if (value.length < stampBytes) return;
  const view = new DataView(value.buffer, value.byteOffset, stampBytes);
  view.setFloat64(0, performance.timeOrigin + performance.now());
}

/** In milliseconds since 1970-01-01. */
export function stampOf(value: Uint8Array): number {
  return new DataView(value.buffer, value.byteOffset, stampBytes).getFloat64(0);
}
