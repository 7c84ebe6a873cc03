/** Seeds that failed once. Each stays, with its story in a line; README.md tells the same. */
export const regressions: readonly { readonly seed: number; readonly story: string }[] = [];
