/**
 * The registry is a key space of its own: an instance is the key `i/<namespace>/<service>/<id>`. Names
 * have no slash, so the instances of a service are exactly the keys with its prefix.
 */
import { prefixRange } from '../mvcc/key-range.ts';
import type { Key, KeyEvent, KeyRange, KeyValue } from '../mvcc/types.ts';
import { decodeInstance } from './instance-codec.ts';
import type { InstanceEvent, RegisteredInstance, ServiceName } from './types.ts';

export function instanceKey({ namespace, service }: ServiceName, id: string): Key {
  return `i/${namespace}/${service}/${id}`;
}

/** All instances of a service. */
export function instanceRange({ namespace, service }: ServiceName): KeyRange {
  return prefixRange(`i/${namespace}/${service}/`);
}

/** All instances of a namespace. */
export function namespaceRange(namespace: string): KeyRange {
  return prefixRange(`i/${namespace}/`);
}

/** The service in an instance's key. */
export function serviceOf(key: Key): string {
  return key.split('/')[2] ?? '';
}

export function registeredInstance(pair: KeyValue): RegisteredInstance {
  return {
    ...decodeInstance(pair.value),
    leaseId: pair.leaseId,
    createRevision: pair.createRevision,
    modRevision: pair.modRevision,
  };
}

/** What changes of instance keys mean for who watches the service. */
export function instanceEvents(events: readonly KeyEvent[]): InstanceEvent[] {
  return events.map((event): InstanceEvent => {
    if (event.type === 'put') return { type: 'set', instance: registeredInstance(event.pair) };
    const id = event.pair.key.slice(event.pair.key.lastIndexOf('/') + 1);
    // Whoever revokes a lease takes its instances away on purpose.
    const reason = event.cause === 'leaseExpired' ? 'expired' : 'deregistered';
    return { type: 'removed', id, reason };
  });
}
