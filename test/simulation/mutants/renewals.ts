import { OPENING, one, type RuleMutant, WAITING } from './mutant.ts';

const RENEWING = 'src/protocol/contender/renewing.ts';
const WIRE = 'test/simulation/checks/wire.ts';

const PURGE = "[{ do: 'purge', call }],";
const NO_PURGE = "[{ do: 'ack', line, deliveryTag }, { do: 'look', call }],";

/** Rules of putting a new token in the place of what is in hand. */
export const RENEWALS: readonly RuleMutant[] = [
  {
    trap: 4,
    name: 'a token is acked without a purge',
    world: 'long log, older seed',
    edits: [
      ...one(OPENING, "phase: 'purging', rejoins", "phase: 'looking', rejoins"),
      ...one(OPENING, PURGE, NO_PURGE),
    ],
  },
  {
    trap: 4,
    name: 'the same, and nobody watches the ack',
    world: 'long log, older seed',
    edits: [
      ...one(OPENING, "phase: 'purging', rejoins", "phase: 'looking', rejoins"),
      ...one(OPENING, PURGE, NO_PURGE),
      ...one(WIRE, '|| watched.book.purged) return;', '|| watched.handedToken) return;'),
    ],
  },
  {
    name: 'what was acked is not replaced',
    edits: one(
      RENEWING,
      "      return event.depth === 'absent' || event.depth.ready > 0",
      '      return event.depth',
    ),
  },
  {
    name: 'who has no caller gives any token back',
    world: 'stale seeds',
    edits: one(WAITING, 'const [next, effects] = live\n', 'const [next, effects] = live || abandoned\n'),
  },
  {
    name: 'who has a token gives any other back',
    world: 'stale seeds',
    edits: one(
      'src/protocol/contender/surfacing.ts',
      "message.kind === 'token' && message.token.id !== hold.id",
      'message.kind === undefined',
    ),
  },
  {
    name: 'foreign messages are looked into without end',
    world: 'a flood of strays',
    edits: one(WAITING, 'if (state.strays >= STRAYS_AT_MOST)', 'if (state.strays < 0)'),
  },
  {
    name: 'the first foreign message is enough to start over',
    world: 'a flood of strays',
    edits: one(WAITING, 'if (state.strays >= STRAYS_AT_MOST)', 'if (state.strays >= 0)'),
  },
  {
    name: 'what comes after the ack is kept',
    edits: one(
      RENEWING,
      "return [state, [...saw, { do: 'ack', line: event.line, deliveryTag }]];",
      'return [state, saw];',
    ),
  },
  {
    name: 'what comes back during the purge is taken for what was in hand',
    world: 'starting over, a flap',
    edits: one(
      RENEWING,
      "return state.phase === 'purging'\n        ? endHere(state, consume(state)) // the broker had taken it back\n",
      "return state.phase === 'purging'\n        ? [state, []]\n",
    ),
  },
];
