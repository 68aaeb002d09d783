import { FENCE, GRANTING, HOLDING, OPENING, one, STEP, simulated, WAITING } from './simulated.ts';

const LOCAL_FENCE = 'const fence = highestSeen >= hold.fence ? highestSeen + 1n : hold.fence + 1n;';

/** Rules that no trap names. */
export const OTHERS = simulated([
  {
    name: 'a verified grant does not wait',
    edits: one(
      WAITING,
      'if (grantsVerified(rules.grant, traits) || !inputs.ranLately) {',
      'if (!inputs.ranLately) {',
    ),
  },
  {
    name: 'no stall guard',
    edits: one(
      WAITING,
      'if (grantsVerified(rules.grant, traits) || !inputs.ranLately) {',
      'if (grantsVerified(rules.grant, traits)) {',
    ),
  },
  {
    name: 'a token below the highest fence is granted',
    edits: one(
      WAITING,
      'return surfacedSeed(message, inputs) === undefined && message.fence > inputs.highestSeen;',
      'return surfacedSeed(message, inputs) === undefined;',
    ),
  },
  {
    name: 'a verified grant although a higher fence was seen meanwhile',
    world: 'two tokens',
    edits: one(
      GRANTING,
      'const isHighest = inputs.highestSeen <= state.hold.fence;',
      'const isHighest = true;',
    ),
  },
  {
    name: 'a local hand-off keeps the fence',
    edits: one(HOLDING, LOCAL_FENCE, 'const fence = highestSeen >= hold.fence ? highestSeen : hold.fence;'),
  },
  {
    name: 'a local hand-off below what was seen',
    world: 'local hand-off in',
    edits: one(HOLDING, LOCAL_FENCE, 'const fence = hold.fence + 1n;'),
  },
  {
    name: 'a local hand-off beyond the next return',
    world: 'local hand-off',
    edits: one(
      HOLDING,
      'const isLast = fence >= fenceOf(hold.base, hold.returns + 1, hold.fencesPerReturn);',
      'const isLast = false;',
    ),
  },
  {
    name: 'no probe is ever sent',
    edits: one(
      'src/protocol/token-watch.ts',
      "PROBE_TTL_MS + healAfterMs * jitter }, 'probe'];",
      'PROBE_TTL_MS + healAfterMs * jitter }, undefined];',
    ),
  },
  {
    name: 'a new base that ignores the clock',
    edits: one(
      FENCE,
      'const base = clock > highestSeen ? clock : highestSeen + 1n;',
      'const base = highestSeen + 1n;',
    ),
  },
  {
    name: 'a new base that ignores what was seen',
    edits: one(FENCE, 'const base = clock > highestSeen ? clock : highestSeen + 1n;', 'const base = clock;'),
  },
  {
    name: 'a cancelled waiter stays where it is',
    edits: one(
      WAITING,
      "    case 'cancelled':\n    case 'closed':\n",
      "    case 'cancelled':\n      return [state, []];\n    case 'closed':\n",
    ),
  },
  {
    name: 'a delivery that nobody asked for is taken for proof',
    edits: [
      ...one(HOLDING, "if (state.at !== 'verifying' || answer.verdict", 'if (answer.verdict'),
      ...one(
        HOLDING,
        '  const { sentAt } = state;\n  const held = proven(state, answer, rules);',
        "  const sentAt = 'sentAt' in state ? state.sentAt : inputs.now;\n  const held = proven({ ...state, sentAt }, answer, rules);",
      ),
    ],
  },
  {
    name: 'a cancelled holder believes on',
    edits: one(
      HOLDING,
      '      if (event.channelId !== state.channelId) return [state, []];\n      const epoch = state.epoch + 1;',
      '      if (event.channelId !== -1) return [state, []];\n      const epoch = state.epoch + 1;',
    ),
  },
  {
    name: 'a holder never asks',
    edits: one(
      STEP,
      'earliest(state.verifyAt, state.provenAt.mono + rules.leaseMs)',
      'state.provenAt.mono + rules.leaseMs',
    ),
  },
  {
    name: 'a place whose first proof never comes is kept',
    edits: one(STEP, 'return state.sentAt.mono + rules.leaseMs;', 'return undefined;'),
  },
  {
    name: 'no seed after a declaration that found nothing',
    edits: one(OPENING, "if (consumers === 0) return ask('seed', { ...state, seenHeldAt: undefined });", ''),
  },
]);
