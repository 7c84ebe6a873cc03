/** The registry's vocabulary: who can be called, and where. */

export interface Instance {
  /** A name (see `isName`), unique within its service. */
  readonly id: string;
  /** `host:port`, IPv6 hosts in brackets. */
  readonly address: string;
  readonly tags: readonly string[];
  readonly metadata: readonly (readonly [name: string, value: string])[];
}

export interface ServiceName {
  readonly namespace: string;
  readonly service: string;
}

/** An instance as it is stored, with the revisions that tell when it came and last changed. */
export interface RegisteredInstance extends Instance {
  readonly leaseId: string | null;
  readonly createRevision: number;
  readonly modRevision: number;
}

export type InstanceEvent =
  | { readonly type: 'set'; readonly instance: RegisteredInstance }
  | {
      readonly type: 'removed';
      readonly id: string;
      readonly reason: 'deregistered' | 'expired';
    };
