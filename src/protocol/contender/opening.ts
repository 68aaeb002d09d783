import type { QueueDepth } from '../port.ts';
import {
  after,
  ask,
  consume,
  find,
  inLine,
  leave,
  opened,
  recreate,
  rejoin,
  rest,
  retryOrFail,
} from './transitions.ts';
import type { At, ContenderEvent, Inputs, Step } from './types.ts';

/** How often a queue may vanish under an opening contender before it pauses. */
const QUICK_FAILURES = 3;
/** When a try looks again. */
const TRY_AGAIN_MS = 25;

type Opening = At<'opening'>;

export function opening(state: Opening, event: ContenderEvent, inputs: Inputs, mode: 'wait' | 'try'): Step {
  switch (event.type) {
    case 'looked':
      if (event.call !== state.epoch || state.phase !== 'looking') return [state, []];
      if (event.depth === 'absent') {
        return state.refused === undefined
          ? recreate(state, inputs)
          : leave(state, { why: 'failed', error: state.refused });
      }
      return state.unchecked ? ask('declare', state) : enter(state, event.depth, mode, inputs);
    case 'declared':
      if (event.call !== state.epoch || state.phase !== 'declaring') return [state, []];
      return enter(state, event.depth, mode, inputs);
    case 'seeded':
      return event.call === state.epoch && state.phase === 'seeding' ? consume(state) : [state, []];
    case 'call-failed':
      if (event.call !== state.epoch || state.phase === 'consuming') return [state, []];
      if (state.phase === 'declaring' && event.error.code === 'access-refused') {
        return ask('look', { ...state, refused: event.error });
      }
      return retryOrFail(state, event.error, inputs);
    case 'consuming':
      if (event.channelId !== state.channelId || state.phase !== 'consuming') return [state, []];
      return [
        inLine({ epoch: state.epoch, channelId: event.channelId, traits: event.traits }),
        [
          { do: 'set-queue-known', known: true },
          ...(mode === 'try' ? [{ do: 'barrier', channelId: event.channelId } as const] : []),
        ],
      ];
    case 'closed':
      if (event.channelId !== state.channelId) return [state, []];
      if (event.absent) {
        if (state.failures >= QUICK_FAILURES) return rest(state, inputs);
        return after(
          [{ do: 'set-queue-known', known: false }],
          recreate({ epoch: state.epoch, failures: state.failures + 1 }, inputs),
        );
      }
      return rejoin({ ...state, channelId: event.channelId }, event, inputs);
    case 'wake':
      if (state.until === undefined || inputs.now.mono < state.until || state.next === undefined)
        return [state, []];
      return state.next === 'find' ? find(state, inputs) : ask(state.next, state);
    case 'give-up':
      return leave(state, { why: 'gave-up' });
    case 'shutdown':
      return leave(state, { why: 'shutdown' });
    default:
      return [state, []];
  }
}

function enter(
  state: Opening,
  { ready, consumers }: QueueDepth,
  mode: 'wait' | 'try',
  { now, justReleased }: Inputs,
): Step {
  const { epoch, failures } = state;
  if (ready > 0) return consume({ epoch, failures });
  // Nobody there and nothing ready: no token. Two clients may both seed; the second seed is inert.
  if (consumers === 0) return ask('seed', { ...state, seenHeldAt: undefined });
  const seenHeldAt = state.seenHeldAt ?? now.mono;
  if (mode === 'wait') return consume({ epoch, failures, seenHeldAt });
  // Held, or just released: close-ok comes before the token is back (0.7 ms, 7.6 at worst, all versions).
  if (state.seenHeldAt === undefined) {
    return [
      opened({ ...state, seenHeldAt }, 'resting', { until: now.mono + TRY_AGAIN_MS, next: 'look' }),
      [],
    ];
  }
  // The return of a token is a replicated write, and a disk may take its time with it; a look waits for no write. A place
  // in line is one too, behind it: it shows who has the token.
  return justReleased ? consume({ epoch, failures, seenHeldAt }) : leave(state, { why: 'unavailable' });
}
