/** Uniform in [0, 1). The only form in which randomness enters the pure folders. */
export type Random = () => number;

/** A seeded generator (xoshiro128**, Blackman and Vigna): same seed, same numbers, on every machine. */
export function createPrng(seed: number): Random {
  let state = seed >>> 0;
  // SplitMix32 spreads a small seed over the whole state.
  const next = (): number => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return (mixed ^ (mixed >>> 15)) >>> 0;
  };
  let a = next();
  let b = next();
  let c = next();
  let d = next();
  return () => {
    const scrambled = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0;
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = rotate(d, 11);
    return scrambled / 0x1_0000_0000;
  };
}

function rotate(word: number, by: number): number {
  return (word << by) | (word >>> (32 - by));
}

/** A whole number in [0, below). */
export function randomBelow(random: Random, below: number): number {
  return Math.floor(random() * below);
}

/** 64 random bits as an id; never all zeros, which stands for "none". */
export function randomId(random: Random): string {
  let id = '';
  do {
    id = '';
    for (let part = 0; part < 4; part++) {
      id += randomBelow(random, 0x1_0000).toString(16).padStart(4, '0');
    }
  } while (id === '0000000000000000');
  return id;
}
