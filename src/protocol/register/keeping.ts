import { BrokerUnreachableError } from '../../errors.ts';
import { decodeEntry } from './entry.ts';
import type { RegisterStep } from './outcome.ts';
import type { InHand, KeptState, Place, RegisterEffect, RegisterEvent } from './types.ts';

/**
 * How often the entry is given back and fetched again: the broker's consumer timeout (30 min by default) runs for it
 * too, and would take the channel (up to 4.2) or the consumer (4.3) and with it the lease.
 */
export const REFRESH_MS = 300_000;
/**
 * After so many returns the holder writes the entry again. Returns stay in the Raft log until something is enqueued and
 * acked behind them: below 4.3 a register that is only ever read would keep 125 to 200 bytes of each without end.
 */
const REWRITE_RETURNS = 100;

/** Everything that was in the register is known, and `kept` is the highest of it. */
export function keep(place: Place, kept: InHand, nowMono: number): RegisterStep {
  const state: KeptState = {
    at: 'kept',
    place,
    proofs: 0,
    kept,
    away: undefined,
    refreshAt: nowMono + REFRESH_MS,
    seq: 0,
    saves: [],
    suspects: [],
  };
  return kept.returns > REWRITE_RETURNS ? write(state, kept.entry.state, undefined) : { state, effects: [] };
}

export function keeping(state: KeptState, event: RegisterEvent, name: string): RegisterStep {
  switch (event.type) {
    case 'register-delivered': {
      const { deliveryTag, body, returns } = event.delivery;
      const message = decodeEntry(body, name);
      if (message.kind === 'newer') return superseded(state);
      if (message.kind === 'foreign') return { state, effects: [ack(state.place, deliveryTag)] };
      return delivered(state, { entry: message.entry, deliveryTag, returns, wasHeld: true });
    }
    case 'save':
      return write(state, event.state, event.ticket);
    case 'register-not-written': {
      // It may have landed all the same, so it stays on the list: if it is handed back it is what the next one reads.
      const ticket = state.saves.find(({ seq }) => seq === event.seq)?.ticket;
      if (ticket === undefined) return { state, effects: [] };
      return { state, effects: [{ do: 'save-failed', ticket, error: event.error }] };
    }
    case 'register-cancelled':
      return {
        state,
        effects: [{ do: 'register-forget' }],
        verdict: {
          is: 'forfeit',
          reason: 'consumer-cancelled',
          cause: new BrokerUnreachableError(
            `the broker cancelled the consumer of the register of lock ${JSON.stringify(name)}: its queue was deleted, or the consumer timed out`,
          ),
        },
      };
    default:
      return { state, effects: [] };
  }
}

export function wakeKeeping(state: KeptState, nowMono: number): RegisterStep {
  if (nowMono < state.refreshAt) return { state, effects: [] };
  const waited: KeptState = { ...state, refreshAt: nowMono + REFRESH_MS };
  if (state.away !== undefined) return { state: waited, effects: [] };
  if (state.kept.returns > REWRITE_RETURNS && state.saves.length === 0) {
    return write(waited, state.kept.entry.state, undefined);
  }
  const { channelId } = state.place;
  return {
    state: { ...waited, away: state.kept },
    effects: [{ do: 'requeue', channelId, deliveryTag: state.kept.deliveryTag }],
  };
}

function delivered(state: KeptState, arrived: InHand): RegisterStep {
  const { place, kept, away, saves } = state;
  const { entry, deliveryTag, returns } = arrived;
  if (entry.id === away?.entry.id && returns === away.returns + 1) {
    const back = { ...state, away: undefined };
    if (entry.id === kept.entry.id) return { state: { ...back, kept: arrived }, effects: [] };
    return { state: back, effects: [ack(place, deliveryTag)] }; // a save has taken its place meanwhile
  }
  const save = entry.fence === place.fence ? saves.find(({ seq }) => seq === entry.seq) : undefined;
  if (save !== undefined && returns === 0) return saved(state, arrived, save.ticket);
  // The broker had taken the register away and somebody may have read it.
  if (entry.id === kept.entry.id || entry.id === away?.entry.id) return superseded(state);
  // Somebody had it in hand before, so it was in the register when that was read, and may have been confirmed.
  if (returns > 0) return superseded(state);
  // Somebody with a higher fence writes, who can only be a holder if the token has gone. Otherwise it is foreign, and left
  // here it would be read above every save of this hold.
  if (entry.fence >= place.fence) return { state, effects: [], verdict: { is: 'suspect', deliveryTag } };
  // A stale holder's late write, or a seed of somebody who waits.
  return { state, effects: [ack(place, deliveryTag)] };
}

/**
 * The register has handed a save back to the hold that wrote it. Only that is a confirmation: the broker's own comes
 * for the late write of a stale holder as well.
 */
function saved(state: KeptState, arrived: InHand, ticket: number | undefined): RegisterStep {
  const { place, kept, away } = state;
  const saves = state.saves.filter(({ seq }) => seq !== arrived.entry.seq);
  const isNewest = kept.entry.fence < place.fence || kept.entry.seq < arrived.entry.seq;
  const outdated = isNewest ? kept : arrived;
  const acks = outdated.entry.id === away?.entry.id ? [] : [ack(place, outdated.deliveryTag)];
  const told: RegisterEffect[] = ticket === undefined ? [] : [{ do: 'saved', ticket }];
  return {
    state: { ...state, saves, kept: isNewest ? arrived : kept },
    effects: [...told, ...acks],
  };
}

function write(state: KeptState, value: unknown, ticket: number | undefined): RegisterStep {
  const { channelId, fence } = state.place;
  const seq = state.seq + 1;
  return {
    state: { ...state, seq, saves: [...state.saves, { seq, ticket }] },
    effects: [{ do: 'register-write', channelId, fence, seq, state: value }],
  };
}

function superseded(state: KeptState): RegisterStep {
  return { state, effects: [], verdict: { is: 'forfeit', reason: 'superseded' } };
}

/** `proofs` of the token are awaited before it is known that nobody else can have been granted when this entry came. */
export const suspect = (state: KeptState, deliveryTag: number, proofs: number): KeptState => ({
  ...state,
  suspects: [...state.suspects, { deliveryTag, proofs }],
});

/** The token has been proven once more. */
export function cleared(state: KeptState): RegisterStep {
  if (state.suspects.length === 0) return { state, effects: [] };
  const suspects = state.suspects.map(({ deliveryTag, proofs }) => ({ deliveryTag, proofs: proofs - 1 }));
  const foreign = suspects.filter(({ proofs }) => proofs === 0);
  return {
    state: { ...state, suspects: suspects.filter(({ proofs }) => proofs > 0) },
    effects: foreign.map(({ deliveryTag }) => ack(state.place, deliveryTag)),
  };
}

const ack = ({ channelId }: Place, deliveryTag: number) => ({ do: 'ack', channelId, deliveryTag }) as const;
