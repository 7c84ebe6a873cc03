/** The frames between members: one byte for the kind, one for the protocol's version, then the body. */
import { ByteReader, ByteWriter } from '../base/bytes.ts';
import { RollcallError } from '../base/errors.ts';
import { type Birth, decodeBirth, encodeBirth } from '../format/identity.ts';
import { decodeMessages, encodeMessages } from '../format/message.ts';
import type { PeerMessage } from '../format/types.ts';
import { errorBody, errorFromBody } from '../wire/error-body.ts';
import { pack, unpack } from '../wire/pack.ts';
import { decodeHello, encodeHello, type Hello, isDialable } from './hello.ts';

export const peerSubprotocol = 'rollcall-peer.v1';
const version = 2;

export type PeerFrame =
  /** The first frame in both directions. */
  | { readonly type: 'hello'; readonly hello: Hello }
  /** The last frame: why the sender closes. */
  | { readonly type: 'refusal'; readonly error: RollcallError }
  /** The receiver is a member of this cluster from now on. */
  | { readonly type: 'birth'; readonly birth: Birth }
  /** Only from the one that dialed. */
  | { readonly type: 'messages'; readonly messages: readonly PeerMessage[] };

const kinds = [
  'hello',
  'refusal',
  'birth',
  'messages',
] as const satisfies readonly PeerFrame['type'][];

export function encodePeerFrame(frame: PeerFrame): Uint8Array {
  const body = encodeBody(frame);
  const bytes = new Uint8Array(body.length + 2);
  bytes[0] = kinds.indexOf(frame.type);
  bytes[1] = version;
  bytes.set(body, 2);
  return bytes;
}

/** What the frame claims to be, so that one out of turn is never decoded. Throws RollcallErrors. */
export function peerFrameType(bytes: Uint8Array): PeerFrame['type'] {
  const type = kinds[bytes[0] ?? kinds.length];
  if (type === undefined) throw new RollcallError('malformedFrame', 'Not a peer frame');
  if (bytes[1] !== version) {
    throw new RollcallError(
      'formatTooNew',
      `The peer speaks version ${bytes[1]} of the peer protocol, this node version ${version}`,
    );
  }
  return type;
}

/** Throws nothing but RollcallErrors. */
export function decodePeerFrame(bytes: Uint8Array): PeerFrame {
  const type = peerFrameType(bytes);
  const body = bytes.subarray(2);
  switch (type) {
    case 'hello':
      return { type, hello: decodeHello(body) };
    case 'refusal':
      return { type, error: errorFromBody(unpack(body, { itemsMax: 200, depthMax: 4 })) };
    case 'birth':
      return { type, birth: decodeBirthBody(body) };
    case 'messages':
      return { type, messages: decodeMessages(body) };
  }
}

function encodeBody(frame: PeerFrame): Uint8Array {
  switch (frame.type) {
    case 'hello':
      return encodeHello(frame.hello);
    case 'refusal':
      return pack(errorBody(frame.error));
    case 'birth': {
      const writer = new ByteWriter();
      encodeBirth(writer, frame.birth);
      return writer.finish();
    }
    case 'messages':
      return encodeMessages(frame.messages);
  }
}

function decodeBirthBody(body: Uint8Array): Birth {
  const reader = new ByteReader(body);
  const birth = decodeBirth(reader);
  reader.end();
  for (const { peerAddress } of birth.configuration.members) {
    if (isDialable(peerAddress)) continue;
    throw new RollcallError('malformedFrame', 'A member has no address that can be dialed');
  }
  return birth;
}
