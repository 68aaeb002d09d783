import { describe, expect, test } from 'vitest';
import type { ContenderEvent, ContenderState, Step } from '../../../../src/protocol/contender/types.ts';
import { OUTCOMES, STATES, type Type } from './every-state.ts';
import { counted, delivered, feed, HOLD, LINE, names, place, retryable, V4_3 } from './fixtures.ts';

const TYPES: readonly Type[] = [
  'start',
  'looked',
  'declared',
  'seeded',
  'purged',
  'probed',
  'call-failed',
  'consuming',
  'delivered',
  'barrier',
  'cancelled',
  'closed',
  'wake',
  'verify',
  'release',
  'give-up',
  'shutdown',
];

/** The event as the state could meet it: of its own line, its own call, and the proof that a holder awaits. */
function eventFor(state: ContenderState, type: Type, shift = 0): ContenderEvent {
  const channelId = ('channelId' in state && state.channelId !== undefined ? state.channelId : LINE) - shift;
  const call = state.epoch - shift;
  switch (type) {
    case 'start':
      return { type, known: true };
    case 'looked':
      return { type, call, depth: { ready: 0, consumers: 1 } };
    case 'declared':
      return { type, call, depth: { ready: 0, consumers: 0 } };
    case 'seeded':
    case 'purged':
    case 'probed':
      return { type, call };
    case 'call-failed':
      return { type, call, error: retryable };
    case 'consuming':
      return { type, channelId, traits: V4_3 };
    case 'delivered':
      if (state.at === 'releasing') return { ...counted(HOLD.returns + 2, 1), channelId } as ContenderEvent;
      return delivered(HOLD.returns + 1, undefined, channelId);
    case 'barrier':
    case 'cancelled':
      return { type, channelId };
    case 'closed':
      return { type, channelId, scope: 'channel', error: retryable };
    default:
      return { type };
  }
}
/** The port tells `consuming` before anything else of a channel, so nothing is promised here. */
const NEVER_HAPPENS = new Set(['consuming delivered']);

const outcome = ([state, effects]: Step) => `${place(state)}: ${names(effects)}`;
const all = Object.entries(STATES) as [keyof typeof STATES, ContenderState][];

describe.each(all)('a contender that is %s', (name, state) => {
  const happens = (type: Type) => !NEVER_HAPPENS.has(`${name} ${type}`);

  test.each(TYPES.filter(happens))('on %s does what the table says', (type) => {
    const after = feed(state, eventFor(state, type));
    const expected = OUTCOMES[name][type];
    if (expected !== undefined) return expect(outcome(after)).toBe(expected);
    expect(after[0]).toEqual(state);
    expect(after[1]).toEqual([]);
  });

  test('does not notice what belongs to an older line or an older call', () => {
    const aged = TYPES.filter((type) =>
      Object.keys(eventFor(state, type)).some((key) => key === 'channelId' || key === 'call'),
    );
    expect(aged.length).toBe(11);
    for (const type of aged) {
      for (const shift of [1, 3, -1]) {
        const [next, effects] = feed(state, eventFor(state, type, shift));
        expect(next, `${type} ${shift} earlier`).toBe(state);
        expect(effects).toEqual([]);
      }
    }
  });

  test('is left alone by a wake before anything is due', () => {
    const [next, effects] = feed(state, { type: 'wake' });
    expect(next).toEqual(state);
    expect(effects).toEqual([]);
  });
});

test('released and lost absorb every event at any time, whatever it says', () => {
  for (const state of [STATES.released, STATES.lost]) {
    for (const type of TYPES) {
      for (const mono of [0, 1_000_000]) {
        const [next, effects] = feed(state, eventFor(state, type), {
          now: { mono, wall: 0 },
          highestSeen: 1n,
        });
        expect(next).toBe(state);
        expect(effects).toEqual([]);
      }
    }
  }
});
