/** Live views of a service: the instances at one revision, then what each later revision changed. */
import type { RollcallError } from '../base/errors.ts';
import { instanceEvents, instanceRange } from '../registry/instances.ts';
import type { Queries } from './queries.ts';
import type { Reads } from './reads.ts';
import type { ServiceWatchRequest, StreamHandle, ViewSink, WatchBatch } from './types.ts';
import type { WatchHub } from './watch-hub.ts';

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
    let stream: StreamHandle | null = null;
    let cancelled = false;
    this.#reads.addSerializable(request.minRevision, {
      run: () => {
        if (!cancelled) stream = this.#begin(request, sink);
      },
      fail: (error: RollcallError) => {
        if (!cancelled) sink.end(error);
      },
    });
    return {
      resume: () => stream?.resume(),
      cancel: () => {
        cancelled = true;
        stream?.cancel();
      },
    };
  }

  /** The view and the stream begin in one step, so nothing can come between them. */
  #begin(request: ServiceWatchRequest, sink: ViewSink): StreamHandle {
    const revision = this.#queries.revision;
    sink.view(revision, this.#queries.instances(request));
    return this.#hub.watch(
      { space: 'registry', ...instanceRange(request), from: revision + 1, previous: false },
      {
        send: ({ revision: at, events }: WatchBatch) =>
          sink.send({ revision: at, events: instanceEvents(events) }),
        end: (error) => sink.end(error),
      },
    );
  }
}
