import type { WireInstance } from '../wire/results.ts';

/** One running instance of a service. */
export interface Instance {
  /** Unique within the service. */
  readonly id: string;
  /** `host:port`, IPv6 hosts in brackets. */
  readonly address: string;
  readonly tags: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
  /** The lease that it goes with; null for a permanent one. */
  readonly leaseId: string | null;
  /** The revision at which it was registered. */
  readonly createRevision: number;
  /** The revision at which it last changed. */
  readonly modRevision: number;
}

/** Why an instance left. `unknown`: it was gone when the view came back from a lost connection. */
export type RemovalReason = 'deregistered' | 'expired' | 'unknown';

export function instanceFromWire(instance: WireInstance): Instance {
  return { ...instance, metadata: Object.fromEntries(instance.metadata) };
}
