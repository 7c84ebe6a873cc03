/**
 * The client of Rollcall.
 *
 *     import { connect } from 'rollcall';
 *
 *     const client = await connect({ endpoints: ['127.0.0.1:4640', '127.0.0.1:4650'] });
 *     await client.put('greeting', 'hello');
 *     const pair = await client.get('greeting'); // pair?.valueText === 'hello'
 *
 *     for await (const { revision, events } of client.watch({ prefix: 'config/' })) { … }
 *
 *     await client.registry.register({ service: 'api', address: '10.0.0.7:8080' });
 *     const view = client.registry.discover('api');
 *     await view.ready();
 *     view.instances();
 */
export { type ErrorCode, errorCodes, RollcallError } from '../base/errors.ts';
export type { NodeStatus } from '../wire/results.ts';
export type { CallOptions } from './call.ts';
export {
  Client,
  type ConnectOptions,
  connect,
  type EndpointState,
} from './client.ts';
export {
  type Applicant,
  ClusterControl,
  type ClusterMember,
  type Membership,
} from './cluster-control.ts';
export { type EndpointStatus, endpointStatuses } from './endpoint-status.ts';
export type { Instance, RemovalReason } from './instance.ts';
export type { Key, KeySelector, Value } from './key.ts';
export { KeyValue } from './key-value.ts';
export { type FreshnessOptions, Keys, type Revisioned } from './keys.ts';
export { Lease, type LeaseLoss } from './lease.ts';
export { type GrantOptions, type LeaseStatus, Leases } from './leases.ts';
export type { Page, PageOptions } from './pages.ts';
export { type AtomicallyOptions, AtomicTransaction } from './recipes/atomically.ts';
export { Barrier } from './recipes/barrier.ts';
export { Election, Leadership, type ObserveOptions } from './recipes/election.ts';
export { Holding, type HoldingLoss, type HoldingOptions } from './recipes/holding.ts';
export { Queue } from './recipes/queue.ts';
export { Semaphore } from './recipes/semaphore.ts';
export { Registration, type RegistrationEnd } from './registration.ts';
export {
  type NamespaceOptions,
  type RegisterOptions,
  Registry,
  type RegistryReadOptions,
} from './registry.ts';
export { type ServiceName, type ServiceSnapshot, ServiceView } from './service-view.ts';
export { Snapshot, type SnapshotOptions } from './snapshot.ts';
export {
  type Compare,
  type CompareOperator,
  compare,
  type DeleteOptions,
  type Operation,
  type OperationResult,
  operation,
  type PutOptions,
  type Range,
  type ReadOptions,
  type SortOrder,
  type SortTarget,
  type Txn,
  type TxnResult,
} from './txn.ts';
export type { ViewChange } from './view-state.ts';
export { Watch, type WatchOptions } from './watch.ts';
export type { WatchBatch, WatchEvent } from './watch-buffer.ts';
