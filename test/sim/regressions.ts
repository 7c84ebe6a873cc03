/**
 * Seeds that failed once, each with its story in a line. A seed shows its fault only as long as nothing
 * changes what is drawn from it, so each fault has a test of its own as well.
 */
export const regressions: readonly { readonly seed: number; readonly story: string }[] = [
  {
    seed: 9,
    story: 'a received state was thrown away while the append that makes it count was on its way',
  },
  {
    seed: 108,
    story: 'a node ended because its disk had no room for a state it wanted to receive',
  },
  {
    seed: 162,
    story: 'a node waited ten seconds for a sender that was gone, while its leader offered a state',
  },
  {
    seed: 221,
    story: 'members that had received everything held the places of one that still needed a state',
  },
  {
    seed: 51,
    story:
      'log kept for a receiver with a hung disk stopped all writes, for as long as it answered',
  },
  {
    seed: 30,
    story:
      'the last append before a failed sync was read back, built upon, and lost with the power: damage',
  },
  {
    seed: 4258746672,
    story:
      'a registration was said to be taken out, in an older cluster, when the end of its lease was in doubt',
  },
  {
    seed: 4263825599,
    story:
      'the client that tries out a healed majority knew only of members that were about to be replaced',
  },
  {
    seed: 60,
    story:
      'a node whose disk was lost twice was taken in again under the id that it had in between',
  },
  {
    seed: 16,
    story: 'a leader that had moved was known at its old address for as long as it led',
  },
  {
    seed: 169,
    story: 'a node that came back without its disk reached followers only, and was never taken in',
  },
  {
    seed: 13,
    story: 'a watch ended for good because its node was removed',
  },
  {
    seed: 78,
    story: 'a state took the place of a lost one that ended beyond what was stored of the log',
  },
  {
    seed: 229,
    story:
      'a node that was taken in anew was replaced by what it had been before, which could still be asking',
  },
  {
    seed: 47,
    story:
      'a node that asked to be taken in never heard that the leader had moved, and asked the others for ever',
  },
  {
    seed: 284,
    story:
      'the late handshake of a connection that was given up silenced the one in its place for seconds',
  },
  {
    seed: 155,
    story:
      'an operator was told that the only node there is waited for its repair, which was no answer',
  },
  {
    seed: 918274023,
    story:
      'a leader went on from the time of an entry that had been overwritten, and a lease ended early',
  },
  {
    seed: 918273447,
    story:
      'a leader that was removed could not commit the last write after its leave, and nobody took over',
  },
  {
    seed: 918273434,
    story:
      'a segment that was made ahead was lost under a member that wrote into it, which nobody can tell',
  },
  {
    seed: 209,
    story:
      'the last words of a node that begins to repair itself ended a watch as if the cluster had been restored',
  },
  {
    seed: 237,
    story:
      'an operator took out two leaders in a row, and their hand-overs were held against the cluster',
  },
];
