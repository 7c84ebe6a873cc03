/** The writes of the registry, on a space with an open draft. A refusal leaves the draft unchanged. */
import { equalBytes } from '../base/bytes.ts';
import { Refusal } from '../base/refusal.ts';
import type { KeySpace } from '../mvcc/key-space.ts';
import type { LeaseId } from '../mvcc/types.ts';
import { checkInstance, checkName, checkService } from './instance-check.ts';
import { encodeInstance } from './instance-codec.ts';
import { instanceKey } from './instances.ts';
import type { Instance, ServiceName } from './types.ts';

/** Who stands behind a registration, and whose instance of the same id it may take the place of. */
export interface Ownership {
  /** Null for a permanent instance. */
  readonly leaseId: LeaseId | null;
  readonly mayReplace: (owner: LeaseId | null) => boolean;
}

/**
 * Registers or replaces. What is registered already with the same content and lease is left as it is,
 * so that a client may repeat itself without making revisions.
 */
export function register(
  space: KeySpace,
  service: ServiceName,
  instance: Instance,
  { leaseId, mayReplace }: Ownership,
): { readonly created: boolean } | Refusal {
  const refusal = checkService(service) ?? checkInstance(instance);
  if (refusal !== null) return refusal;
  const key = instanceKey(service, instance.id);
  const bytes = encodeInstance(instance);
  const before = space.get(key);
  if (before !== null && !mayReplace(before.leaseId)) return replaced(service, instance.id);
  const isSame = before !== null && before.leaseId === leaseId && equalBytes(before.value, bytes);
  if (!isSame) space.put(key, bytes, leaseId);
  return { created: before === null };
}

/** With a lease, only the instance that has it: one that was registered anew since is another's. */
export function deregister(
  space: KeySpace,
  service: ServiceName,
  { id, leaseId }: { readonly id: string; readonly leaseId: LeaseId | null },
): Refusal | null {
  const refusal = checkService(service) ?? checkName('id', id);
  if (refusal !== null) return refusal;
  const key = instanceKey(service, id);
  const before = space.get(key);
  if (before === null) {
    return new Refusal(
      'instanceNotFound',
      `No instance ${id} of ${service.service} is registered in ${service.namespace}`,
    );
  }
  if (leaseId !== null && before.leaseId !== leaseId) return replaced(service, id);
  space.delete(key, 'request');
  return null;
}

function replaced({ namespace, service }: ServiceName, id: string): Refusal {
  return new Refusal(
    'instanceReplaced',
    `Instance ${id} of ${service} in ${namespace} was registered by another process since`,
  );
}
