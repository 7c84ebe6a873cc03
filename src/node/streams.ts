/** What a member sends on and on: watches, views of services, and backups. */
import type { Clock } from '../base/clock.ts';
import type { RollcallError } from '../base/errors.ts';
import type { Revision } from '../mvcc/types.ts';
import type { RevisionEvents } from '../state-machine/types.ts';
import { Backups, type BackupsOptions } from './backups.ts';
import type { Queries } from './queries.ts';
import { refuseStream } from './refusals.ts';
import type {
  BackupRequest,
  BackupSink,
  ServiceWatchRequest,
  StreamHandle,
  ViewSink,
  WatchRequest,
  WatchSink,
} from './types.ts';
import { ViewStreams } from './view-streams.ts';
import { WatchHub } from './watch-hub.ts';

export interface StreamsOptions extends BackupsOptions {
  readonly queries: Queries;
  /** For what reads the state. */
  readonly guarded: Clock;
  /** The newest that is applied. */
  readonly revision: () => Revision;
  /** Why nothing is served, or null. */
  readonly refusal: () => RollcallError | null;
  /** Why nothing is served that would be of no use without a leader, or null. */
  readonly streamRefusal: () => RollcallError | null;
}

export class Streams {
  readonly #options: StreamsOptions;
  readonly #hub: WatchHub;
  readonly #views: ViewStreams;
  readonly #backups: Backups;

  constructor(options: StreamsOptions) {
    const { queries, reads, guarded } = options;
    this.#options = options;
    this.#hub = new WatchHub(queries, guarded);
    this.#views = new ViewStreams(this.#hub, queries, reads);
    this.#backups = new Backups(options);
  }

  watch(request: WatchRequest, sink: WatchSink): StreamHandle {
    const revision = this.#options.revision();
    const refusal = this.#options.streamRefusal();
    if (refusal !== null) return refuseStream(this.#options.clock, sink, refusal);
    sink.created(revision);
    const from = request.startRevision === 0 ? revision + 1 : request.startRevision;
    return this.#hub.watch({ ...request, space: 'kv', from }, sink);
  }

  watchService(request: ServiceWatchRequest, sink: ViewSink): StreamHandle {
    const refusal = this.#options.streamRefusal();
    if (refusal !== null) return refuseStream(this.#options.clock, sink, refusal);
    return this.#views.open(request, sink);
  }

  backup(request: BackupRequest, sink: BackupSink): StreamHandle {
    return this.#backups.open(request, sink, this.#options.refusal());
  }

  applied(revisions: readonly RevisionEvents[]): void {
    this.#hub.applied(revisions);
  }

  /** The state is another one now. */
  restored(): void {
    this.#hub.restored();
  }

  /** Ends all watches and views. */
  endAll(error: RollcallError): void {
    this.#hub.endAll(error);
  }

  close(error: RollcallError): void {
    this.#hub.endAll(error);
    this.#backups.close();
  }
}
