import { expect, test } from 'vitest';
import {
  type ClientEvent,
  type ClientInputs,
  type ClientState,
  clientStep,
  isShared,
} from '../../../src/protocol/client-step.ts';
import type { Rules } from '../../../src/protocol/contender/types.ts';
import { type NameRecord, NEW_RECORD } from '../../../src/protocol/name-record.ts';
import { STATEFUL_IDLE } from '../../../src/protocol/register/step.ts';
import { delivery as deliveryOf, later, NOW, RULES, V4_0 } from './contender/fixtures.ts';

const CHANNEL = 1;
const AT_ONCE: Rules = { ...RULES, grant: 'immediate' };
const INPUTS: ClientInputs = {
  now: NOW,
  ranLately: true,
  brokerMajor: 4,
  healAfterMs: 30_000,
  jitter: () => 0.5,
};

/** A client that takes one event after the other. */
function client(record: Partial<NameRecord> = {}, rules: Rules = AT_ONCE) {
  let state: ClientState = { attempt: STATEFUL_IDLE, record: { ...NEW_RECORD, ...record } };
  const does = (event: ClientEvent, inputs: Partial<ClientInputs> = {}): string => {
    const {
      attempt,
      record: known,
      effects,
      errands,
    } = clientStep(state, event, { ...INPUTS, ...inputs }, rules);
    state = { attempt, record: known };
    return [...effects.map((effect) => effect.do), ...errands.map((errand) => `(${errand})`)].join(' ');
  };
  return {
    does,
    get record() {
      return state.record;
    },
    get attempt() {
      return state.attempt;
    },
  };
}

const known = () => {
  const it = client(
    { known: true, wasInLine: true, registerKnown: true },
    { ...AT_ONCE, carriesState: true },
  );
  it.does({ type: 'start' });
  it.does({ type: 'consuming', channelId: CHANNEL, traits: V4_0 });
  return it;
};

test('a name that the process knows is consumed at once, another one is asked for', () => {
  expect(client({ known: true }).does({ type: 'start' })).toBe('consume');
  expect(client().does({ type: 'start' })).toBe('declare');
});

test('what a process learns of the name is kept in its record, and is no effect', () => {
  const it = client();
  it.does({ type: 'start' });
  expect(it.record.tokenWatch.waiters).toBe(1);
  it.does({ type: 'declared', call: 1, depth: { ready: 1, consumers: 0 } });
  expect(it.does({ type: 'consuming', channelId: 2, traits: V4_0 })).toBe('');
  expect(it.record).toMatchObject({ known: true, wasInLine: true });
  expect(it.does({ type: 'delivered', channelId: 2, delivery: deliveryOf(3) })).toMatch(/^grant/);
  expect(it.record.highestSeen).toBeGreaterThan(0n);
  expect(it.record.tokenWatch.waiters).toBe(0);
});

test('a cancelled consumer is the end of the queue, known before the step that it leads to', () => {
  const it = known();
  expect(it.record.queueEndedAt).toBeUndefined();
  it.does({ type: 'cancelled', channelId: CHANNEL }, { now: later(5) });
  expect(it.record).toMatchObject({ known: false, queueEndedAt: NOW.mono + 5 });
});

test('a release is remembered when its channel has been closed', () => {
  const it = known();
  it.does({ type: 'give-up' });
  expect(it.record.releasedAt).toBe(Number.NEGATIVE_INFINITY);
  it.does({ type: 'closed', channelId: CHANNEL, scope: 'channel' }, { now: later(3) });
  expect(it.record.releasedAt).toBe(NOW.mono + 3);
});

test('a register that the process knows is not declared again', () => {
  const it = known();
  const delivery = deliveryOf(3);
  expect(it.does({ type: 'delivered', channelId: CHANNEL, delivery })).toContain('register-consume');
  const stranger = client({ known: true }, { ...AT_ONCE, carriesState: true });
  stranger.does({ type: 'start' });
  stranger.does({ type: 'consuming', channelId: CHANNEL, traits: V4_0 });
  expect(stranger.does({ type: 'delivered', channelId: CHANNEL, delivery })).toContain('register-declare');
});

test('one answer does for all who open at once, and a decision to start over needs a look of its own', () => {
  const opening = client();
  opening.does({ type: 'start' });
  expect(
    (['look', 'declare', 'seed', 'probe', 'purge'] as const).filter((what) =>
      isShared(what, opening.attempt),
    ),
  ).toEqual(['look', 'declare', 'seed', 'probe']);
  expect(isShared('look', known().attempt)).toBe(false);
});
