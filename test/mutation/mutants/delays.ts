import { DELAYING, GRANTING, HOLDING, one, QUESTIONS, simulated, WAITING } from './simulated.ts';

const IS_MARKED = 'nacked !== undefined && nacked % 2 !== 0;';

/** Rules of verified grants from 4.3 on (docs/design/lock-delay.md). */
export const DELAYS = simulated([
  {
    name: 'a verified grant leaves no mark',
    edits: [
      ...one(
        WAITING,
        "const asked = rules.grant === 'verified' ? 'requeue' : questionOn(hold, traits);",
        'const asked = questionOn(hold, traits);',
      ),
      ...one(
        GRANTING,
        "if (rules.grant === 'verified' && answer.hold.nacked",
        "if (rules.grant === 'auto' && answer.hold.nacked",
      ),
    ],
  },
  { name: 'no mark is ever seen', edits: one(QUESTIONS, IS_MARKED, 'false && nacked === 0;') },
  {
    name: 'a marked token is granted at once',
    edits: one(WAITING, 'if (hasMark(hold, rules)) {', 'if (hold.returns < 0) {'),
  },
  {
    name: 'a delay of half a lease',
    world: 'two in line, 4.3, verified',
    edits: one(DELAYING, 'now.mono + leaseMs + DRIFT_MS', 'now.mono + leaseMs / 2'),
  },
  {
    name: 'a question that takes the mark away',
    edits: one(
      QUESTIONS,
      "countsApart(hold, traits) ? 'reject' : 'requeue';",
      "countsApart(hold, traits) ? 'requeue' : 'requeue';",
    ),
  },
  {
    name: 'a release leaves its mark',
    world: 'healthy, 4.3, verified',
    edits: one(
      HOLDING,
      "return state.at === 'held' && hasMark(state.hold, rules) ? unmarking(state, state.hold) : [];",
      'return hasMark(state.hold, rules) ? [] : [];',
    ),
  },
  {
    name: 'a release with a question under way awaits no answer',
    world: 'healthy, 4.3, verified',
    edits: one(
      HOLDING,
      "if (state.at === 'verifying' && hasMark(hold, rules) && !isCancelled(state))",
      'if (hold.returns < 0)',
    ),
  },
  {
    name: 'who gives up before its proof has come leaves its mark',
    world: 'healthy, 4.3, verified',
    edits: one(
      GRANTING,
      "rules.grant !== 'verified' ||\n        isKept(",
      'state.epoch > 0 ||\n        isKept(',
    ),
  },
  {
    name: 'who gives up during the delay leaves at once',
    world: 'impatience, 4.3, verified',
    edits: one(
      DELAYING,
      "return [{ ...state, abandoned: true }, [{ do: 'refuse', refusal: { why: 'gave-up' } }]];",
      "return leave(state, { why: 'gave-up' });",
    ),
  },
  {
    name: 'who gives up during the delay takes the mark away',
    world: 'two in line, 4.3, verified',
    edits: one(
      DELAYING,
      "return [{ ...state, abandoned: true }, [{ do: 'refuse', refusal: { why: 'gave-up' } }]];",
      "return unmark(state, state.hold, [{ do: 'refuse', refusal: { why: 'gave-up' } }]);",
    ),
  },
  {
    name: 'a token that replaced another is granted with its first proof',
    world: 'two veterans, 4.3, verified',
    edits: one(GRANTING, 'keptUntil(state.isReplacement, answer.hold', 'keptUntil(false, answer.hold'),
  },
  {
    name: 'who gives up before the proof of a token that replaced another takes its mark away',
    world: 'three veterans, 4.3, verified',
    edits: one(GRANTING, 'isKept(state, inputs, rules) ||', ''),
  },
  {
    name: 'nobody waits for the holder of a queue that is no more',
    world: 'in line at a deletion',
    edits: one(DELAYING, 'return isAsked && queueEndedAt', 'return isAsked && leaseMs < 0 && queueEndedAt'),
  },
  {
    name: 'a lock that is closed during the delay loses its mark',
    world: 'lines, 4.3, verified',
    edits: one(
      DELAYING,
      "return leave(state, { why: 'shutdown' }, abandoned);",
      "return unmark(state, state.hold, abandoned ? [] : [{ do: 'refuse', refusal: { why: 'shutdown' } }]);",
    ),
  },
]);
