/** The writes of the registry, on a space with an open draft. A refusal leaves the draft unchanged. */
import { equalBytes } from '../base/bytes.ts';
import { Refusal } from '../base/refusal.ts';
import type { KeySpace } from '../mvcc/key-space.ts';
import type { LeaseId } from '../mvcc/types.ts';
import { checkInstance, checkName, checkService } from './instance-check.ts';
import { encodeInstance } from './instance-codec.ts';
import { instanceKey } from './instances.ts';
import type { Instance, ServiceName } from './types.ts';

/**
 * Registers or replaces. What is registered already with the same content and lease is left as it is,
 * so that a client may repeat itself without making revisions.
 */
export function register(
  space: KeySpace,
  service: ServiceName,
  instance: Instance,
  leaseId: LeaseId | null,
): { readonly created: boolean } | Refusal {
  const refusal = checkService(service) ?? checkInstance(instance);
  if (refusal !== null) return refusal;
  const key = instanceKey(service, instance.id);
  const bytes = encodeInstance(instance);
  const before = space.get(key);
  const isSame = before !== null && before.leaseId === leaseId && equalBytes(before.value, bytes);
  if (!isSame) space.put(key, bytes, leaseId);
  return { created: before === null };
}

export function deregister(space: KeySpace, service: ServiceName, id: string): Refusal | null {
  const refusal = checkService(service) ?? checkName('id', id);
  if (refusal !== null) return refusal;
  const key = instanceKey(service, id);
  if (space.index.present(key) === undefined) {
    return new Refusal(
      'instanceNotFound',
      `No instance ${id} of ${service.service} is registered in ${service.namespace}`,
    );
  }
  space.delete(key, 'request');
  return null;
}
