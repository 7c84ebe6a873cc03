/** Live views of a service: the instances at one revision, then what each later revision changed. */
import type { RollcallError } from '../base/errors.ts';
import type { KeyEvent } from '../mvcc/types.ts';
import { instanceEvents, instanceRange } from '../registry/instances.ts';
import { awaitRevision } from './awaited-stream.ts';
import type { Queries } from './queries.ts';
import type { Reads } from './reads.ts';
import type {
  ServiceWatchRequest,
  StreamHandle,
  ViewSink,
  WatchBatch,
  WatchHandle,
} from './types.ts';
import type { WatchHub } from './watch-hub.ts';

/** All that the hub is told of a view beside its keys. */
const everyChange = {
  space: 'registry',
  previous: false,
  noPut: false,
  noDelete: false,
  progressMs: 0,
} as const;

export class ViewStreams {
  readonly #hub: WatchHub;
  readonly #queries: Queries;
  readonly #reads: Reads;

  constructor(hub: WatchHub, queries: Queries, reads: Reads) {
    this.#hub = hub;
    this.#queries = queries;
    this.#reads = reads;
  }

  open(request: ServiceWatchRequest, sink: ViewSink): StreamHandle {
    return awaitRevision(
      this.#reads,
      request.minRevision,
      () => this.#begin(request, sink),
      (error) => sink.end(error),
    );
  }

  /** What a view that was paused has missed may be compacted: it begins anew then, as a whole. */
  #begin(request: ServiceWatchRequest, sink: ViewSink): WatchHandle {
    let stream = this.#beginOnce(request, sink, (error) => {
      if (error.code === 'compacted') stream = this.#begin(request, sink);
      else sink.end(error);
    });
    return {
      resume: () => stream.resume(),
      cancel: () => stream.cancel(),
      requestProgress: () => stream.requestProgress(),
    };
  }

  /** The view and the stream begin in one step, so nothing can come between them. */
  #beginOnce(
    request: ServiceWatchRequest,
    sink: ViewSink,
    end: (error: RollcallError) => void,
  ): WatchHandle {
    const revision = this.#queries.revision;
    sink.view(revision, this.#queries.instances(request));
    // The parts of a revision whose end is yet to come.
    let parts: KeyEvent[] = [];
    return this.#hub.watch(
      { ...everyChange, ...instanceRange(request), from: revision + 1 },
      {
        send: ({ revision: at, events, more }: WatchBatch) => {
          parts.push(...events);
          if (more) return true;
          const whole = parts;
          parts = [];
          return sink.send({ revision: at, events: instanceEvents(whole) });
        },
        progress: () => {},
        end,
      },
    );
  }
}
