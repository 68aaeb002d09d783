import fc from 'fast-check';
import type { ContenderEvent } from '../../../../src/protocol/contender/types.ts';
import { permanent, retryable } from './fixtures.ts';
import { messageOf, type Queue, seed, WHAT, type What } from './messages.ts';
import type { Process } from './process.ts';
import type { WatchedContender } from './world.ts';

/** One thing that happens. It is made concrete against what the contender is about at that moment. */
export type Command =
  | { readonly do: 'deliver'; readonly what: What; readonly old: boolean; readonly step: number }
  | { readonly do: 'answer'; readonly pick: number; readonly ready: number; readonly consumers: number }
  | { readonly do: 'fail'; readonly pick: number; readonly forGood: boolean }
  | { readonly do: 'void-call'; readonly back: number }
  | { readonly do: 'consuming'; readonly old: boolean; readonly minor: number }
  | { readonly do: 'closed'; readonly old: boolean; readonly how: How }
  | { readonly do: 'barrier' | 'cancelled'; readonly old: boolean }
  | { readonly do: 'pass'; readonly monoMs: number; readonly skewMs: number }
  | { readonly do: 'until-due'; readonly earlyMs: number }
  | { readonly do: 'ran-lately' | 'just-released'; readonly value: boolean }
  | { readonly do: 'progress'; readonly step: number; readonly closeFirst: boolean }
  | { readonly do: 'wake' | 'verify' | 'release' | 'give-up' | 'shutdown' };

const HOW = ['channel', 'connection', 'orderly', 'absent', 'refused'] as const;
type How = (typeof HOW)[number];

const seldom = fc.integer({ min: 0, max: 9 }).map((n) => n === 0);
const often = <T>(arbitrary: fc.Arbitrary<T>, weight: number) => ({ arbitrary, weight });

export const command: fc.Arbitrary<Command> = fc.oneof(
  often(
    fc.record({
      do: fc.constant('progress' as const),
      step: fc.constantFrom(1, 1, 1, 100_001),
      closeFirst: fc.boolean(),
    }),
    24,
  ),
  often(
    fc.record({
      do: fc.constant('deliver' as const),
      what: fc.oneof(
        often(fc.constantFrom<What>('live', 'proof'), 3),
        often(fc.constantFrom<What>(...WHAT), 1),
      ),
      old: seldom,
      step: fc.constantFrom(0, 1, 1, 1, 2, 100_000),
    }),
    8,
  ),
  often(
    fc.record({
      do: fc.constant('answer' as const),
      pick: fc.nat(3),
      ready: fc.constantFrom(-1, 0, 0, 1),
      consumers: fc.nat(1),
    }),
    8,
  ),
  often(fc.record({ do: fc.constant('consuming' as const), old: seldom, minor: fc.constantFrom(0, 3) }), 6),
  fc.record({ do: fc.constant('fail' as const), pick: fc.nat(3), forGood: seldom }),
  fc.record({ do: fc.constant('void-call' as const), back: fc.integer({ min: -2, max: 5 }) }),
  fc.record({ do: fc.constant('closed' as const), old: fc.boolean(), how: fc.constantFrom(...HOW) }),
  fc.record({ do: fc.constantFrom('barrier' as const, 'cancelled' as const), old: seldom }),
  often(
    fc.record({
      do: fc.constant('pass' as const),
      monoMs: fc.oneof(fc.nat(300), fc.nat(6_000)),
      skewMs: fc.oneof(
        often(fc.constant(0), 2),
        often(fc.constantFrom(-20_000, -15_000, -300, 400, 14_000, 16_000, 30_000), 1),
      ),
    }),
    3,
  ),
  often(fc.record({ do: fc.constant('until-due' as const), earlyMs: fc.constantFrom(0, 0, 1) }), 3),
  fc.record({
    do: fc.constantFrom('ran-lately' as const, 'just-released' as const),
    value: fc.boolean(),
  }),
  often(fc.record({ do: fc.constantFrom('wake' as const, 'verify' as const) }), 3),
  fc.record({
    do: fc.constantFrom('release' as const, 'release' as const, 'give-up' as const, 'shutdown' as const),
  }),
);

export function carryOut(todo: Command, who: WatchedContender, process: Process, queue: Queue): void {
  switch (todo.do) {
    case 'progress':
      progress(todo, who, process, queue);
      break;
    case 'deliver':
      who.deliver(lineOf(who, todo.old), ...messageOf(todo, who, process, queue));
      break;
    case 'answer': {
      const call = who.calls[todo.pick % Math.max(1, who.calls.length)];
      if (call === undefined) break;
      if (call.do === 'seed') seed(process, queue);
      answer(who, call, { ready: todo.ready, consumers: todo.consumers });
      break;
    }
    case 'fail': {
      const call = who.calls[todo.pick % Math.max(1, who.calls.length)]?.call;
      if (call !== undefined)
        who.feed({ type: 'call-failed', call, error: todo.forGood ? permanent : retryable });
      break;
    }
    case 'void-call': {
      const call = who.state.epoch - todo.back;
      if (who.calls.some((pending) => pending.call === call) || todo.back === 0) break;
      who.feed({ type: 'seeded', call });
      break;
    }
    case 'consuming':
      who.feed({
        type: 'consuming',
        channelId: lineOf(who, todo.old),
        traits: { version: [4, todo.minor, 1] },
      });
      break;
    case 'closed':
      close(who, lineOf(who, todo.old), todo.how);
      break;
    case 'barrier':
    case 'cancelled':
      who.feed({ type: todo.do, channelId: lineOf(who, todo.old) });
      break;
    case 'pass':
      pass(process, todo.monoMs, todo.monoMs + todo.skewMs);
      break;
    case 'until-due':
      passUntilDue(who, process, todo.earlyMs);
      break;
    case 'just-released':
      process.justReleased = todo.value;
      break;
    case 'ran-lately':
      process.ranLately = todo.value;
      break;
    default:
      who.feed({ type: todo.do });
      break;
  }
}

/** What the contender is waiting for comes, as on a healthy broker. */
function progress(
  { step, closeFirst }: Extract<Command, { do: 'progress' }>,
  who: WatchedContender,
  process: Process,
  queue: Queue,
): void {
  const { state } = who;
  const call = who.calls.at(-1);
  if (state.at === 'opening' && state.phase === 'resting') {
    passUntilDue(who, process, 0);
  } else if (state.at === 'opening' && state.phase === 'consuming') {
    who.feed({
      type: 'consuming',
      channelId: state.channelId ?? 0,
      traits: { version: [4, queue.nacked === undefined ? 0 : 3, 5] },
    });
  } else if (state.at === 'delaying') {
    passUntilDue(who, process, 0);
  } else if (
    state.at === 'waiting' ||
    'asked' in state ||
    state.at === 'verifying' ||
    (state.at === 'replacing' && state.phase === 'arriving' && state.channelId !== undefined)
  ) {
    const what = 'asked' in state || state.at === 'verifying' ? 'proof' : 'live';
    who.deliver(state.channelId ?? 0, ...messageOf({ what, step }, who, process, queue));
  } else if (
    state.at === 'closing' &&
    (closeFirst || call === undefined) &&
    who.lines.get(state.channelId) === 'closing'
  ) {
    close(who, state.channelId, 'orderly');
  } else if (call !== undefined) {
    if (call.do === 'seed') seed(process, queue);
    const hasSeeded = state.at === 'replacing' && state.owedUntil === undefined;
    answer(who, call, { ready: hasSeeded ? 1 : 0, consumers: 0 });
  }
}

const ANSWERS = { seed: 'seeded', probe: 'probed', purge: 'purged' } as const;

/** Answers a call as the broker would. `ready` below 0 means that there is no queue. */
export function answer(
  who: WatchedContender,
  { do: asked, call }: WatchedContender['calls'][number],
  depth: { ready: number; consumers: number },
): void {
  if (asked === 'look') who.feed({ type: 'looked', call, depth: depth.ready < 0 ? 'absent' : depth });
  else if (asked === 'declare')
    who.feed({ type: 'declared', call, depth: { ...depth, ready: Math.max(0, depth.ready) } });
  else who.feed({ type: ANSWERS[asked], call });
}

/** A line's channel ends. The driver never tells of the end of a channel twice. */
export function close(who: WatchedContender, channelId: number, how: How): void {
  if (who.lines.get(channelId) === 'gone') return;
  const error = how === 'orderly' ? undefined : how === 'refused' ? permanent : retryable;
  const scope = how === 'connection' ? 'connection' : 'channel';
  const event: ContenderEvent = {
    type: 'closed',
    channelId,
    scope,
    error,
    absent: how === 'absent' || undefined,
  };
  who.feed(event);
}

function pass(process: Process, monoMs: number, wallMs: number): void {
  process.now = { mono: process.now.mono + monoMs, wall: process.now.wall + wallMs };
}

/** Lets time pass until the next wake, or to just before it. */
export function passUntilDue(who: WatchedContender, process: Process, earlyMs: number): void {
  const due = who.wakeAt;
  if (due === undefined) return;
  const ms = Math.max(0, due - earlyMs - process.now.mono);
  pass(process, ms, ms);
  who.feed({ type: 'wake' });
}

function lineOf(who: WatchedContender, old: boolean): number {
  const lines = [...who.lines.keys()];
  const current = 'channelId' in who.state ? who.state.channelId : undefined;
  return (old ? lines.at(-2) : (current ?? lines.at(-1))) ?? 99;
}
