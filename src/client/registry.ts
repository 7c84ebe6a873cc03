import { RollcallError } from '../base/errors.ts';
import { randomId } from '../base/prng.ts';
import type { Method } from '../wire/methods.ts';
import type { Results } from '../wire/results.ts';
import type { CallOptions } from './call.ts';
import { type Instance, instanceFromWire } from './instance.ts';
import type { LeaseKeeper } from './lease.ts';
import { Registration } from './registration.ts';
import type { Router } from './router.ts';
import { type ServiceSnapshot, ServiceView } from './service-view.ts';

const defaultNamespace = 'default';
const defaultTtlMs = 10_000;

export interface RegisterOptions {
  /** Like all names, ids and namespaces: 1 to 128 of `a-z 0-9 . _ -`, first a letter or digit. */
  readonly service: string;
  /** Default `default`. */
  readonly namespace?: string;
  /**
   * Unique within the service; drawn if left out. Registering a known id replaces that instance, and
   * ends the registration that it came from.
   */
  readonly id?: string;
  /** Where it can be called: `host:port`, IPv6 hosts in brackets. */
  readonly address: string;
  /** At most 64 of 1 to 128 characters. */
  readonly tags?: readonly string[];
  /** At most 64 pairs, names of 1 to 128, values of up to 1,024 characters. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** How long the instance outlives a process that dies, in milliseconds: 500 or more. Default 10,000. */
  readonly ttlMs?: number;
  /** Gives up before the first success; afterwards it has no effect. */
  readonly signal?: AbortSignal;
}

export interface NamespaceOptions {
  /** Default `default`. */
  readonly namespace?: string;
}

export interface RegistryReadOptions extends CallOptions, NamespaceOptions {
  /** Let any node answer, from what it has; never older than what this client has seen. */
  readonly serializable?: boolean;
}

/**
 * Services and their instances. Besides what a method names, each may reject as every request of `Client`;
 * names that are none are `invalidArgument`.
 */
export class Registry {
  readonly #router: Router;
  readonly #keeper: LeaseKeeper;

  /** @internal */
  constructor(router: Router, keeper: LeaseKeeper) {
    this.#router = router;
    this.#keeper = keeper;
  }

  /**
   * Registers an instance and keeps it registered for as long as the client lives, or until somebody else
   * ends it (see `Registration`). Resolves when it stands in the registry for the first time, however
   * long that takes; meanwhile the cluster may be away. Rejects with `cancelled` when `signal` aborts before
   * that, with `closed` when the client closes, and where no retry can help, as with `invalidArgument`.
   */
  async register(options: RegisterOptions): Promise<Registration> {
    if (this.#router.closed) throw new RollcallError('closed', 'The client is closed');
    const { service, signal } = options;
    if (typeof service !== 'string') {
      throw new RollcallError('invalidArgument', 'The service must be a name');
    }
    const instance = {
      id: options.id ?? `${service.slice(0, 111)}-${randomId(this.#router.random)}`,
      address: options.address,
      tags: options.tags ?? [],
      metadata: Object.entries(options.metadata ?? {}),
    };
    const wish = { namespace: options.namespace ?? defaultNamespace, service, instance };
    const ttlMs = options.ttlMs ?? defaultTtlMs;
    const registration = new Registration(this.#router, this.#keeper, wish, ttlMs);
    const abort = (): void => {
      const message = `The registration of ${instance.id} was given up`;
      registration.abandon(new RollcallError('cancelled', message, { cause: signal?.reason }));
    };
    if (signal?.aborted) abort();
    signal?.addEventListener('abort', abort, { once: true });
    try {
      await registration.first();
    } finally {
      signal?.removeEventListener('abort', abort);
    }
    return registration;
  }

  /**
   * Takes an instance out of the registry, whoever registered it; whoever keeps it registered hears of it
   * and lets it be. Rejects with `instanceNotFound`.
   */
  async deregister(
    service: string,
    id: string,
    options: CallOptions & NamespaceOptions = {},
  ): Promise<{ readonly revision: number }> {
    const parameters = { namespace: options.namespace ?? defaultNamespace, service, id };
    return (await this.#call('deregister', parameters, false, options)) as Results['deregister'];
  }

  /** A live view of a service's instances, also of a service that nobody has registered yet. */
  discover(service: string, options: NamespaceOptions = {}): ServiceView {
    return new ServiceView(this.#router, {
      namespace: options.namespace ?? defaultNamespace,
      service,
    });
  }

  /** The instances of a service as they are now; none for a service that nobody has registered. */
  async instances(
    service: string,
    options: RegistryReadOptions = {},
  ): Promise<readonly Instance[]> {
    return (await this.snapshot(service, options)).instances;
  }

  /** The same with the revision at which it was so. A serializable read may reject with `behind`. */
  async snapshot(service: string, options: RegistryReadOptions = {}): Promise<ServiceSnapshot> {
    const parameters = {
      namespace: options.namespace ?? defaultNamespace,
      service,
      ...this.#freshness(options),
    };
    const body = await this.#call('discover', parameters, options.serializable, options);
    const { revision, instances } = body as Results['discover'];
    return { revision, instances: instances.map(instanceFromWire) };
  }

  /** All services that have instances, with the number of them, by name. */
  async services(options: RegistryReadOptions = {}): Promise<Results['services']['services']> {
    const namespace = options.namespace ?? defaultNamespace;
    const parameters = { namespace, ...this.#freshness(options) };
    const body = await this.#call('services', parameters, options.serializable, options);
    return (body as Results['services']).services;
  }

  #freshness(options: RegistryReadOptions): object {
    return options.serializable ? { serializable: true, minRevision: this.#router.revision } : {};
  }

  async #call(
    method: Method,
    parameters: object,
    anywhere: boolean | undefined,
    options: CallOptions,
  ): Promise<unknown> {
    const request = { method, parameters, anywhere: anywhere ?? false };
    const body = await this.#router.call(request, options);
    this.#router.sawRevision((body as { readonly revision: number }).revision);
    return body;
  }
}
