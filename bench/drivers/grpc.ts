/**
 * The little of gRPC and Protocol Buffers that talking to etcd takes, written and read by hand. A message
 * on the wire is preceded by whether it is compressed (never) and its length.
 */

/** Of each message: the flag and the length before it. */
export const prefixBytes = 5;

export type Field = readonly [number: number, value: string | Uint8Array | number];

export function headersOf(path: string): Readonly<Record<string, string>> {
  return { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' };
}

/** A message with its prefix. */
export function messageOf(...fields: readonly Field[]): Buffer {
  const message = Buffer.concat([Buffer.alloc(prefixBytes), ...fields.flatMap(fieldBytes)]);
  message.writeUInt32BE(message.length - prefixBytes, 1);
  return message;
}

function fieldBytes([number, value]: Field): readonly Uint8Array[] {
  if (typeof value === 'number') return [Buffer.from([number << 3, ...varint(value)])];
  const bytes = typeof value === 'string' ? Buffer.from(value) : value;
  const lengthDelimited = 2;
  return [Buffer.from([(number << 3) | lengthDelimited, ...varint(bytes.length)]), bytes];
}

function varint(number: number): number[] {
  return number < 0x80 ? [number] : [(number & 0x7f) | 0x80, ...varint(number >>> 7)];
}

/** The first length-delimited field of that number. */
export function firstOf(message: Uint8Array, number: number): Uint8Array | null {
  return allOf(message, number).next().value ?? null;
}

/** All length-delimited fields of that number; what is read holds only varints and such fields. */
export function* allOf(message: Uint8Array, number: number): Generator<Uint8Array, undefined> {
  let at = 0;
  const readVarint = () => {
    let result = 0;
    for (let factor = 1; ; factor *= 0x80) {
      const byte = message[at++] ?? 0;
      result += (byte & 0x7f) * factor;
      if (byte < 0x80) return result;
    }
  };
  while (at < message.length) {
    const tag = readVarint();
    const size = readVarint();
    if ((tag & 7) !== 2) continue;
    if (tag >>> 3 === number) yield message.subarray(at, at + size);
    at += size;
  }
}
