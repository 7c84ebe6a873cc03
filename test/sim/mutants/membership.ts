import type { Mutant } from './mutant.ts';

/** Who belongs, and which majorities count meanwhile. */
export const membership: readonly Mutant[] = [
  {
    name: 'change-upon-change',
    file: 'src/raft/reconfiguration.ts',
    find: 'core.commitIndex < core.log.configurationIndex || isJoint(core.log.configuration);',
    replace: 'isJoint(core.log.configuration);',
    story: 'A second change begins while the first one may still be overwritten.',
    shownBy: ['membership change', 'leader change'],
  },
  {
    name: 'change-before-own-term-is-committed',
    file: 'src/raft/reconfiguration.ts',
    find: `if (core.commitIndex < leadership.firstIndex) return { reason: 'notReady', member: null };`,
    replace: '',
    story:
      'A new leader changes the configuration before it knows that of its predecessor decided.',
    shownBy: ['membership change', 'leader change'],
  },
  {
    name: 'learner-counts',
    file: 'src/raft/quorum.ts',
    find: 'const incoming = majorityIndex(configuration.voters, reached);',
    replace: `const deciding = [...configuration.voters, ...configuration.learners];
  const incoming = majorityIndex(deciding, reached);`,
    story: 'A learner counts towards what is committed.',
    shownBy: ['membership change', 'partition'],
  },
  {
    name: 'old-majority-not-asked-to-commit',
    file: 'src/raft/quorum.ts',
    find: 'return Math.min(incoming, majorityIndex(configuration.votersOutgoing, reached));',
    replace: 'return incoming;',
    story: 'In the joint phase the new majority alone commits.',
    shownBy: ['membership change', 'partition'],
  },
  {
    name: 'old-majority-not-asked-to-elect',
    file: 'src/raft/quorum.ts',
    find: 'const outgoing = majorityResult(configuration.votersOutgoing, voteOf);',
    replace: 'const outgoing = incoming;',
    story: 'In the joint phase the new majority alone elects.',
    shownBy: ['membership change', 'partition'],
  },
  {
    name: 'joint-phase-left-early',
    file: 'src/raft/reconfiguration.ts',
    find: 'if (core.commitIndex < Math.max(configurationIndex, leadership.firstIndex)) return;',
    replace: 'if (core.commitIndex < leadership.firstIndex) return;',
    story: 'The joint phase ends before both majorities know of it.',
    shownBy: ['membership change', 'partition'],
  },
  {
    name: 'cut-configuration-stays',
    file: 'src/raft/log.ts',
    find: `this.#configurations.truncateFrom(index);`,
    replace: '',
    story: 'A configuration whose entry was overwritten stays in force.',
    shownBy: ['membership change', 'leader change'],
  },
  {
    name: 'change-in-force-once-committed-only',
    file: 'src/raft/commitment.ts',
    find: 'const index = quorumIndex(core.log.configuration, (id) =>',
    replace: 'const index = quorumIndex(core.log.configurationAt(core.commitIndex), (id) =>',
    story: 'What is committed after a change is counted by the members from before it.',
    shownBy: ['membership change', 'partition'],
  },
  {
    name: 'elected-by-the-committed-configuration',
    file: 'src/raft/election.ts',
    find: 'const result = voteResult(core.log.configuration, (id) => core.votes.get(id));',
    replace: `const configuration = core.log.configurationAt(core.commitIndex);
  const result = voteResult(configuration, (id) => core.votes.get(id));`,
    story: 'A candidate counts the votes of the members from before the change in its log.',
    shownBy: ['membership change', 'leader change'],
  },
  {
    name: 'removed-member-campaigns',
    file: 'src/raft/election.ts',
    find: 'return isVoter(log.configuration, id) || isVoter(log.configurationAt(commitIndex), id);',
    replace: 'return true;',
    story: 'A learner, or who was removed, campaigns.',
    shownBy: ['membership change'],
  },
  {
    name: 'silence-is-a-vote',
    file: 'src/raft/quorum.ts',
    find: 'if (vote === true) granted++;',
    replace: 'if (vote !== false) granted++;',
    story: 'A voter that has said nothing yet counts as one that agrees.',
    shownBy: ['leader change'],
  },
];
