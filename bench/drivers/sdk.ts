/** The same work through the SDK, as a program would do it: what its convenience costs shows. */
import { randomBytes } from 'node:crypto';
import { connect } from '../../src/client/index.ts';
import { keyOf, valueBytes } from '../load/loads.ts';
import type { Connect } from './driver.ts';

export const connectSdk: Connect = async ({ endpoint, operation, answered }) => {
  const client = await connect({ endpoints: [endpoint] });
  const value = randomBytes(valueBytes);
  const request = async (key: number): Promise<string | null> => {
    if (operation === 'put') {
      await client.put(keyOf(key), value);
      return null;
    }
    const length = (await client.get(keyOf(key)))?.value.length;
    return length === valueBytes ? null : `A get answered with ${length ?? 'no'} bytes`;
  };
  return {
    send: (slot, key) => {
      request(key).then(
        (failure) => answered(slot, failure),
        (error: Error) => answered(slot, error.message),
      );
    },
    flush: () => {},
    close: () => {
      void client.close();
    },
  };
};
