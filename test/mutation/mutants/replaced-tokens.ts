import type { Edit } from '../mutant.ts';
import { one, simulated, WAITING } from './simulated.ts';

const RENEWING = 'src/protocol/contender/replacing.ts';
const RENEW = 'src/protocol/contender/replace-token.ts';
const WIRE = 'test/simulation/checks/wire.ts';

const UNWATCHED: readonly Edit[] = one(
  WIRE,
  'export function checkAck(',
  'export function checkAck() {}\nfunction unused(',
);
const NO_PURGE = one(
  RENEW,
  "emptiesQueue(state) ? 'probe' : 'purge', inputs)",
  "emptiesQueue(state) ? 'probe' : 'seed', inputs)",
);
const NO_LOOK = one(
  RENEWING,
  "return state.crowded ? ackAnd(state, 'await', inputs) : ask(state, 'look', inputs);",
  "return ackAnd(state, 'await', inputs);",
);
const ANY_NUMBER = one(RENEWING, 'return depth.ready === 1 ?', 'return depth.ready > 0 ?');
const ACK_FIRST = one(RENEW, 'releases && traits.version[0] < 4', 'releases && traits.version[0] < 9');

/** Rules of putting a new token in the place of what is in hand. */
export const REPLACED_TOKENS = simulated([
  {
    trap: 4,
    name: 'a token is acked without a purge',
    world: 'long log, older seed',
    edits: [...NO_PURGE, ...ANY_NUMBER],
  },
  {
    trap: 4,
    name: 'a token is acked without a purge, and nobody watches the ack',
    world: 'long log, older seed',
    edits: [...NO_PURGE, ...ANY_NUMBER, ...UNWATCHED],
  },
  {
    name: 'the old token is acked without a look at what is ready',
    world: 'replacing: who may not',
    edits: NO_LOOK,
  },
  {
    name: 'the old token is acked although more than the new one is ready, and nobody watches the ack',
    world: 'replacing: an older seed',
    edits: [...ANY_NUMBER, ...UNWATCHED],
  },
  {
    name: 'the old token is acked before the new one is confirmed',
    world: 'replacing: publishes stuck',
    edits: ACK_FIRST,
  },
  {
    name: 'the old token is acked before the new one is confirmed, and nobody watches the ack',
    world: 'replacing: publishes stuck',
    edits: [...ACK_FIRST, ...UNWATCHED],
  },
  {
    name: 'on 3.x nobody tries whether a token can be published',
    world: 'replacing: who may not publish, 3.10',
    edits: one(RENEW, "emptiesQueue(state) ? 'probe' : 'purge', inputs)", "'purge', inputs)"),
  },
  {
    name: 'on 3.x nobody tries whether a token can be published, and nobody watches the ack',
    world: 'replacing: who may not publish, 3.10',
    edits: [
      ...one(RENEW, "emptiesQueue(state) ? 'probe' : 'purge', inputs)", "'purge', inputs)"),
      ...UNWATCHED,
    ],
  },
  {
    name: 'an answer that does not come is awaited without end',
    world: 'replacing: lines',
    edits: one(RENEWING, 'inputs.now.mono < state.until ? [state, []] : late(state, inputs)', '[state, []]'),
  },
  {
    name: 'nobody looks whether the new token has come',
    world: 'replacing: purged in between',
    edits: one(
      RENEWING,
      "return ask({ ...state, rounds: state.rounds + 1 }, 'look', inputs);",
      'return [{ ...state, until: inputs.now.mono + ARRIVAL_MS }, []];',
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
    name: 'a replacement that ends early gives back a seed that surfaced',
    world: 'stale seeds, 4.3, verified',
    edits: one(
      RENEWING,
      'const isInHand = surfaced !== undefined &&',
      'const isInHand = surfaced === deliveryTag &&',
    ),
  },
  {
    name: 'foreign messages are looked into without end',
    world: 'a flood of foreign messages',
    edits: one(WAITING, 'if (state.foreignCount >= FOREIGN_AT_MOST)', 'if (state.foreignCount < 0)'),
  },
  {
    name: 'the first foreign message is enough to start over',
    world: 'a flood of foreign messages',
    edits: one(WAITING, 'if (state.foreignCount >= FOREIGN_AT_MOST)', 'if (state.foreignCount >= 0)'),
  },
  {
    name: 'a new token that somebody has purged is not replaced',
    world: 'replacing: purged in between',
    edits: one(
      RENEWING,
      'if (depth.ready === 0) return seedAgain(state, inputs);',
      'if (depth.ready === 0) return endHere(state, consume(state));',
    ),
  },
  {
    name: 'a seed that failed after the ack is not tried again',
    world: 'replacing: a lost line, 3.10',
    edits: one(
      RENEWING,
      "state.owedUntil === undefined || error.code === 'closed'",
      "state.phase !== 'looking'",
    ),
  },
]);
