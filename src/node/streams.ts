/** What a member sends on and on: watches, views of services, and backups. */
import type { Clock } from '../base/clock.ts';
import { RollcallError } from '../base/errors.ts';
import { boundsOf } from '../mvcc/key-range.ts';
import type { KeyRange } from '../mvcc/types.ts';
import type { RevisionEvents } from '../state-machine/types.ts';
import { awaitRevision } from './awaited-stream.ts';
import { Backups, type BackupsOptions } from './backups.ts';
import type { Queries } from './queries.ts';
import { refuseStream } from './refusals.ts';
import type {
  BackupRequest,
  BackupSink,
  ServiceWatchRequest,
  StreamHandle,
  ViewSink,
  WatchHandle,
  WatchRequest,
  WatchSink,
} from './types.ts';
import { ViewStreams } from './view-streams.ts';
import { WatchHub } from './watch-hub.ts';

export interface StreamsOptions extends BackupsOptions {
  readonly queries: Queries;
  readonly incarnation: string;
  /** For what reads the state. */
  readonly guarded: Clock;
  /** Why nothing is served, or null. */
  readonly refusal: () => RollcallError | null;
  /** Why nothing is served that would be of no use without a leader, or null. */
  readonly streamRefusal: () => RollcallError | null;
}

/** Of all connections of a node together. */
const watchesMax = 500_000;

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

  watch(request: WatchRequest, sink: WatchSink): WatchHandle {
    const { clock, reads } = this.#options;
    const refusal = this.#options.streamRefusal() ?? this.#refusalOf(request);
    if (refusal !== null) return refuseStream(clock, sink, refusal);
    const { minRevision } = request;
    if (minRevision <= this.#options.queries.revision) return this.#beginWatch(request, sink);
    const fail = (error: RollcallError): void => sink.end(error);
    return awaitRevision(reads, minRevision, () => this.#beginWatch(request, sink), fail);
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

  #beginWatch(request: WatchRequest, sink: WatchSink): WatchHandle {
    const revision = this.#options.queries.revision;
    sink.created(revision);
    const { key, rangeEnd, previous, noPut, noDelete, progressMs } = request;
    const watched = { space: 'kv', key, rangeEnd, previous, noPut, noDelete } as const;
    const from = request.startRevision === 0 ? revision + 1 : request.startRevision;
    return this.#hub.watch({ ...watched, progressMs, from }, sink);
  }

  #refusalOf({ key, rangeEnd, incarnation }: WatchRequest): RollcallError | null {
    if (isEmpty({ key, rangeEnd })) {
      return new RollcallError('invalidArgument', 'The range to watch ends before it begins');
    }
    if (incarnation !== null && incarnation !== this.#options.incarnation) {
      return new RollcallError(
        'incarnationChanged',
        `The cluster is in incarnation ${this.#options.incarnation}, the watch is of ${incarnation}`,
      );
    }
    if (this.#hub.size < watchesMax) return null;
    return new RollcallError('tooManyStreams', `${this.#hub.size} watches are open on this node`);
  }
}

/** No key is in it: a watch of it would say nothing for ever. */
function isEmpty(range: KeyRange): boolean {
  const { from, to } = boundsOf(range);
  return to !== null && to <= from;
}
