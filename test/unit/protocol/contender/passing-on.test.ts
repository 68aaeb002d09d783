import { describe, expect, test } from 'vitest';
import type { At } from '../../../../src/protocol/contender/types.ts';
import { fenceOf } from '../../../../src/protocol/fence.ts';
import {
  delivered,
  feed,
  granting,
  HOLD,
  held,
  LINE,
  later,
  names,
  place,
  RULES,
  tokenBody,
  V4_0,
  verifying,
} from './fixtures.ts';

const passOn = { type: 'pass-on' } as const;
const hold = { ...HOLD, fencesPerReturn: 8, fence: fenceOf(HOLD.base, HOLD.returns, 8) };
const nextReturn = fenceOf(hold.base, hold.returns + 1, 8);
const isRelease = (effects: readonly unknown[]) =>
  expect(effects).toEqual([{ do: 'close', channelId: LINE }]);

describe('passing on', () => {
  test('grants the next fence under the same hold, and asks nothing of the broker', () => {
    for (const state of [held({ hold }), verifying({ hold })]) {
      const [next, effects] = feed(state, passOn, { highestSeen: hold.fence });
      const fence = hold.fence + 1n;
      expect(effects).toEqual([
        { do: 'fence-seen', fence },
        { do: 'grant', fence },
      ]);
      expect(next).toEqual({ ...state, hold: { ...hold, fence } });
    }
  });

  test('goes on until the fence of the next return; then it is a release', () => {
    let state: At<'held'> = held({ hold });
    for (let fence = hold.fence + 1n; fence < nextReturn; fence += 1n) {
      const [next] = feed(state, passOn, { highestSeen: fence - 1n });
      expect(next).toEqual({ ...state, hold: { ...hold, fence } });
      state = next as At<'held'>;
    }
    isRelease(feed(state, passOn, { highestSeen: nextReturn - 1n })[1]);
  });

  test('goes on above what a proof has shown, and a proof makes room', () => {
    const last = { ...hold, fence: nextReturn - 1n };
    const body = tokenBody({ fencesPerReturn: 8 });
    const [state] = feed(verifying({ hold: last }), delivered(HOLD.returns + 1, body));
    const [next, effects] = feed(state, passOn, { highestSeen: nextReturn });
    expect(effects.at(-1)).toEqual({ do: 'grant', fence: nextReturn + 1n });
    expect(place(next)).toBe('held');
  });

  test('is a release when this process has seen the token, or another one, further on', () => {
    for (const highestSeen of [nextReturn - 1n, nextReturn, nextReturn + 100n]) {
      isRelease(feed(held({ hold }), passOn, { highestSeen })[1]);
    }
  });

  test('is a loss, and no grant, once the hold cannot be vouched for', () => {
    const [next, effects] = feed(held({ hold }), passOn, { now: later(RULES.leaseMs) });
    expect(place(next)).toBe('lost/verification-timeout');
    expect(names(effects)).toBe('lost close');
  });

  test('needs no further proof where grants are verified, while the last one is not older than 20 ms', () => {
    for (const state of [held({ hold, traits: V4_0 }), verifying({ hold, traits: V4_0 })]) {
      const [next, effects] = feed(state, passOn, { highestSeen: hold.fence, now: later(19) });
      expect(names(effects)).toBe('fence-seen grant');
      expect(next).toEqual({ ...state, hold: { ...hold, fence: hold.fence + 1n } });
    }
  });

  test('waits for a proof that is asked for now where grants are verified and the last one is older, or the process stood still', () => {
    for (const [state, inputs] of [
      [held({ hold, traits: V4_0 }), { now: later(20) }],
      [held({ hold, traits: V4_0 }), { now: later(0, 20) }],
      [held({ hold, traits: V4_0 }), { ranLately: false }],
      [held({ hold }), { ranLately: false }],
    ] as const) {
      const [next, effects] = feed(state, passOn, { highestSeen: hold.fence, ...inputs });
      const fence = hold.fence + 1n;
      expect(next).toMatchObject({ at: 'granting', hold: { fence } });
      expect(names(effects)).toBe(state.traits === V4_0 ? 'fence-seen requeue' : 'fence-seen reject');
      const body = tokenBody({ fencesPerReturn: 8 });
      const [granted, proven] = feed(next, delivered(HOLD.returns + 1, body), { highestSeen: fence });
      expect(granted.at).toBe('held');
      expect(proven).toContainEqual({ do: 'grant', fence });
    }
  });

  test('is a release where grants are verified and the answer under way was asked for by the lease before', () => {
    isRelease(
      feed(verifying({ hold, traits: V4_0 }), passOn, { highestSeen: hold.fence, now: later(20) })[1],
    );
  });

  test('that was not proven takes a fresh place in line, and nobody is told of a loss', () => {
    const [, effects] = feed(
      granting({ hold }),
      delivered(HOLD.returns + 2, tokenBody({ fencesPerReturn: 8 })),
      {
        highestSeen: hold.fence,
      },
    );
    expect(names(effects)).toBe('fence-seen close consume');
  });

  test('is a release for a lock with state, and for a holder whose consumer was cancelled', () => {
    isRelease(feed(held({ hold }), passOn, { highestSeen: hold.fence }, { ...RULES, carriesState: true })[1]);
    isRelease(feed(verifying({ hold, cancelledUntil: 1e9 }), passOn, { highestSeen: hold.fence })[1]);
  });

  test('does nothing for a hold that is over or not there yet', () => {
    for (const state of [granting({ hold }), { at: 'released', epoch: 1 } as const])
      expect(feed(state, passOn)).toEqual([state, []]);
  });
});
