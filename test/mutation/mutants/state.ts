import { one, simulated } from './simulated.ts';

const READING = 'src/protocol/register/reading.ts';
const KEEPING = 'src/protocol/register/keeping.ts';
const STATEFUL = 'src/protocol/register/step.ts';
const CALLS = 'test/simulation/client/calls.ts';
const CLIENT = 'src/protocol/client-step.ts';

const ANY = 'state: ';
const FLAPS = 'state: flaps';

/** Rules about the state that travels with a lock. Traps are numbered as in docs/protocol.md. */
export const STATE = simulated([
  {
    trap: 16,
    name: 'a save is done when it is sent',
    world: FLAPS,
    edits: one(
      KEEPING,
      "effects: [{ do: 'register-write', channelId, fence, seq, state: value }],",
      `effects: [
      { do: 'register-write', channelId, fence, seq, state: value },
      ...(ticket === undefined ? [] : [{ do: 'saved', ticket } as const]),
    ],`,
    ),
  },
  {
    trap: 16,
    name: 'a save is done with the confirm',
    world: FLAPS,
    edits: [
      ...one(
        CALLS,
        "return what === 'seed' ? { type: 'seeded', call } : undefined;",
        `return what === 'seed'
        ? { type: 'seeded', call }
        : what === 'write-register' && call > 0
          ? ({ type: 'register-confirmed', channelId, seq: call } as unknown as StatefulEvent)
          : undefined;`,
      ),
      ...one(
        KEEPING,
        "    case 'register-not-written': {",
        `    case 'register-confirmed' as 'register-not-written': {
      const save = state.saves.find(({ seq }) => seq === (event as { seq: number }).seq);
      const ticket = save?.ticket;
      if (save === undefined || ticket === undefined) return { state, effects: [] };
      const saves = state.saves.map((each) => (each === save ? { ...each, ticket: undefined } : each));
      return { state: { ...state, saves }, effects: [{ do: 'saved', ticket }] };
    }
    case 'register-not-written': {`,
      ),
    ],
  },
  {
    trap: 16,
    name: 'what nobody had in hand counts',
    world: ANY,
    edits: one(READING, '  if (one.wasHeld !== other.wasHeld) return one.wasHeld;\n', ''),
  },
  {
    trap: 17,
    name: 'the first entry is taken for the state',
    world: ANY,
    edits: one(
      READING,
      '  if (away === undefined) return giveBack(state, arrived, nowMono);\n',
      `  if (away === undefined) {
    if (arrived.entry.fence >= place.fence) return giveBack(state, arrived, nowMono);
    return { ...keep(place, arrived, nowMono), verdict: { is: 'read' } };
  }
`,
    ),
  },
  {
    trap: 17,
    name: 'an entry that came back once is proof',
    world: FLAPS,
    edits: one(
      READING,
      '  if (!state.cameBack) return giveBack({ ...state, cameBack: true }, returned, nowMono);\n',
      '',
    ),
  },
  {
    name: 'a holder acks what it should have read',
    world: FLAPS,
    edits: [
      ...one(KEEPING, '  if (returns > 0) return superseded(state);\n', ''),
      ...one(
        READING,
        '  if (!state.cameBack) return giveBack({ ...state, cameBack: true }, returned, nowMono);\n',
        '',
      ),
    ],
  },
  {
    trap: 18,
    name: 'no proof of the token after the reading',
    world: FLAPS,
    edits: [
      ...one(STATEFUL, 'proofs: proofsFrom(contender) }', 'proofs: 0 }'),
      ...one(
        STATEFUL,
        "return after(effects, ofContender({ contender, register: awaited }, { type: 'verify' }, inputs, rules));",
        'return after(effects, proven({ contender, register: awaited }, inputs));',
      ),
    ],
  },
  {
    trap: 19,
    name: 'a seed with the own fence',
    world: ANY,
    edits: [
      ...one(
        READING,
        'function seed({ channelId }: Place): RegisterEffect {',
        'function seed({ channelId, fence }: Place): RegisterEffect {',
      ),
      ...one(READING, '{ fence: 0n, seq: 0, state: undefined }', '{ fence, seq: 0, state: undefined }'),
    ],
  },
  {
    name: 'an entry that is delivered twice is two',
    world: FLAPS,
    edits: one(READING, 'if (arrived.entry.id === best.entry.id)', "if (arrived.entry.id === '')"),
  },
  {
    name: 'a holder takes an entry back that it never gave away',
    world: FLAPS,
    edits: one(
      KEEPING,
      'if (entry.id === kept.entry.id || entry.id === away?.entry.id) return superseded(state);',
      `if (entry.id === kept.entry.id) return { state: { ...state, kept: arrived }, effects: [] };
  if (entry.id === away?.entry.id) return superseded(state);`,
    ),
  },
  {
    name: 'a holder acks a higher fence',
    world: FLAPS,
    edits: [
      ...one(
        KEEPING,
        "  if (entry.fence >= place.fence) return { state, effects: [], verdict: { is: 'suspect', deliveryTag } };\n",
        '',
      ),
      ...one(KEEPING, '  if (returns > 0) return superseded(state);\n', ''),
    ],
  },
  {
    name: 'a holder does not ack what is lower',
    world: ANY,
    edits: one(
      KEEPING,
      "  // A stale holder's late write, or a seed of somebody who waits.\n  return { state, effects: [ack(place, deliveryTag)] };",
      '  return { state, effects: [] };',
    ),
  },
  {
    name: 'a holder keeps what its save has taken the place of',
    world: ANY,
    edits: one(
      KEEPING,
      'const acks = outdated.entry.id === away?.entry.id ? [] : [ack(place, outdated.deliveryTag)];',
      'const acks: RegisterEffect[] = outdated === undefined ? [] : [];',
    ),
  },
  {
    name: 'the entry is never given back while it is kept',
    world: 'state: long holds',
    edits: one(KEEPING, 'const REFRESH_MS = 300_000;', 'const REFRESH_MS = 1e9;'),
  },
  {
    name: 'the entry is never written again',
    world: 'state: long holds',
    edits: one(KEEPING, 'const REWRITE_RETURNS = 100;', 'const REWRITE_RETURNS = 1e9;'),
  },
  {
    name: 'prefetch 1',
    world: ANY,
    edits: one(CLIENT, 'REGISTER_PREFETCH = 16;', 'REGISTER_PREFETCH = 1;'),
  },
  {
    name: 'a register that is ahead of the token is kept',
    world: 'state: deletion',
    edits: one(READING, 'if (kept.entry.fence >= place.fence) {', 'if (kept.entry.fence < 0n) {'),
  },
  {
    name: 'a register that is ahead is not told of',
    world: 'state: deletion',
    edits: one(
      READING,
      "effects: [...acks, { do: 'fence-seen', fence: kept.entry.fence }],",
      'effects: acks,',
    ),
  },
  {
    name: 'a register that shows nothing is not seeded',
    world: ANY,
    edits: one(
      READING,
      'return { state: later, effects: [seed(state.place)] };',
      'return { state: later, effects: [] };',
    ),
  },
  {
    name: 'an entry that stays away is waited for',
    world: ANY,
    edits: one(
      READING,
      'if (state.best !== undefined) return giveBack({ ...later, best: undefined }, state.best, nowMono);',
      'if (state.away !== undefined) return { state, effects: [] };',
    ),
  },
  {
    name: 'a cancelled register is believed in',
    world: ANY,
    edits: one(
      KEEPING,
      "    case 'register-cancelled':\n      return {\n        state,",
      "    case 'register-cancelled':\n      if (state.at === 'kept') return { state, effects: [] };\n      return {\n        state,",
    ),
  },
  {
    name: 'a register that is gone is not declared again',
    world: ANY,
    edits: one(CLIENT, "type: 'register-known', known: false", "type: 'register-known', known: true"),
  },
  {
    name: 'a hold that ends while the register is read is lost',
    world: ANY,
    edits: one(
      STATEFUL,
      "} else if (effect.do === 'lost' && isWithheld(state)) {",
      "} else if (effect.do === 'lost' && isWithheld(state) && contender.epoch < 0) {",
    ),
  },
  {
    name: 'foreign messages in a register are left alone',
    world: ANY,
    edits: one(
      READING,
      "if (message.kind === 'foreign') return { state, effects: [{ do: 'ack', channelId, deliveryTag }] };",
      "if (message.kind === 'foreign') return { state, effects: [] };",
    ),
  },
]);
