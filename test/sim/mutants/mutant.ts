/** One wrong decision in code that ships, as a patch of its text. */
export interface Mutant {
  readonly name: string;
  /** Path of the source below the project's root. */
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly find: string;
  readonly replace: string;
  /** What is wrong with it, in one sentence. */
  readonly story: string;
  /** What has to come together for it to show. */
  readonly shownBy: readonly Trouble[];
}

export type Trouble =
  | 'concurrent requests'
  | 'crash'
  | 'damage'
  | 'disk hangs'
  | 'even voters'
  | 'leader change'
  | 'lost messages'
  | 'membership change'
  | 'old log removed'
  | 'partition'
  | 'pause'
  | 'power cut'
  | 'restart'
  | 'slow consumer'
  | 'slow disk'
  | 'state received'
  | 'stray messages'
  | 'wrong clock';
