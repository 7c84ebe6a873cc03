/** What watchers are measured in. */
export const scenes = ['matching', 'crowd-20', 'crowd-1000', 'stalled'] as const;
export type Scene = (typeof scenes)[number];
