/** Ranges of any size, read page by page and all at one revision. */
import { RollcallError } from '../base/errors.ts';
import type { Results } from '../wire/results.ts';
import { type KeySelector, keyAfter, keyRange, type WireKeyRange } from './key.ts';
import type { KeyPrefix } from './key-prefix.ts';
import { KeyValue } from './key-value.ts';
import { type ReadOptions, rangeParameters } from './txn.ts';

/** How many pairs a page holds at most. */
const pagePairsMax = 1000;

export type PageOptions = Omit<ReadOptions, 'countOnly' | 'sortBy'>;

export interface Page {
  /** That of all pages. */
  readonly revision: number;
  readonly pairs: readonly KeyValue[];
  /** How many keys there are in all, whatever the limit and the bounds on revisions. */
  readonly count: number;
  /** There are more pairs than those of this page and the ones before. */
  readonly more: boolean;
}

/** Asks for one page. */
export type RequestPage = (
  parameters: ReturnType<typeof rangeParameters> & { readonly counted: boolean },
) => Promise<Results['range']>;

/** `incarnation` tells of which incarnation of the cluster the answers are. */
export async function* readPages(
  keys: KeySelector,
  options: PageOptions,
  prefix: KeyPrefix,
  request: RequestPage,
  incarnation: () => string,
): AsyncGenerator<Page, undefined> {
  const begun = incarnation();
  const parameters = rangeParameters(keys, options);
  let { revision } = parameters;
  let rest: WireKeyRange | null = prefix.into(keyRange(keys));
  let left = parameters.limit || Number.POSITIVE_INFINITY;
  let count: number | null = null;
  while (rest !== null) {
    const limit = Math.min(left, pagePairsMax);
    const counted = count === null;
    const asked = { ...parameters, ...rest, revision, limit, counted };
    const page: Results['range'] = await requestFitting(asked, request);
    if (incarnation() !== begun) {
      const message =
        'The cluster was restored while its keys were read; what was read may not hold';
      throw new RollcallError('incarnationChanged', message, { definite: true });
    }
    // The first page fixes the revision for all.
    if (revision === 0) revision = page.revision;
    count ??= page.count;
    left -= page.pairs.length;
    const { pairs, more } = page;
    yield { revision, pairs: pairs.map((pair) => new KeyValue(prefix.outOf(pair))), count, more };
    const last = pairs.at(-1);
    if (!more || last === undefined || left === 0) return;
    rest = restAfter(rest, last.key, parameters.order);
  }
}

/** Fewer pairs where as many as asked for do not fit into an answer. */
async function requestFitting(
  parameters: Parameters<RequestPage>[0],
  request: RequestPage,
): Promise<Results['range']> {
  for (let { limit } = parameters; ; limit = Math.ceil(limit / 8)) {
    try {
      return await request({ ...parameters, limit });
    } catch (error) {
      const isTooLarge = error instanceof RollcallError && error.code === 'frameTooLarge';
      if (!isTooLarge || limit === 1) throw error;
    }
  }
}

/** What is left of the range after its key `last`; null where nothing can be. */
function restAfter(
  range: WireKeyRange,
  last: string,
  order: 'ascend' | 'descend',
): WireKeyRange | null {
  if (order === 'descend') return last === range.key ? null : { key: range.key, rangeEnd: last };
  const key = keyAfter(last);
  return key === null ? null : { key, rangeEnd: range.rangeEnd };
}
