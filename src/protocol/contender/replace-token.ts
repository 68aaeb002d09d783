import type { At, Effect, Inputs, Step } from './types.ts';

export type Replacing = At<'replacing'>;

/** How long one answer is awaited: somebody waits for the release, but who heals a lock has nothing to go back to. */
const ANSWER_MS = { releasing: 1_000, healing: 5_000 };
const PHASES = { probe: 'trying', purge: 'purging', seed: 'seeding', look: 'looking' } as const;

type Why = Partial<Pick<Replacing, 'rejoins' | 'releases' | 'abandoned' | 'crowded' | 'surfaced'>>;

/** Puts a new token in the place of what the active consumer has in hand, and must not be granted (any more). */
export function replaceToken(
  { epoch, channelId, traits }: Pick<At<'waiting'>, 'epoch' | 'channelId' | 'traits'>,
  deliveryTag: number,
  inputs: Inputs,
  { rejoins = false, releases = false, abandoned = false, crowded = false, surfaced }: Why = {},
): Step {
  const state: Replacing = {
    at: 'replacing',
    epoch,
    channelId,
    traits,
    deliveryTag,
    phase: 'purging',
    until: 0,
    owedUntil: undefined,
    rounds: 0,
    crowded,
    surfaced,
    rejoins,
    releases,
    abandoned: abandoned || releases,
  };
  return ask(state, emptiesQueue(state) ? 'probe' : 'purge', inputs);
}

/** Only then Raft's log is truncated on 3.x, see replacing.ts. */
export const emptiesQueue = ({ releases, traits }: Replacing): boolean => releases && traits.version[0] < 4;

export function ask(
  state: Replacing,
  call: keyof typeof PHASES,
  { now }: Inputs,
  before: readonly Effect[] = [],
): Step {
  const epoch = state.epoch + 1;
  const until = now.mono + (state.releases ? ANSWER_MS.releasing : ANSWER_MS.healing);
  return [{ ...state, epoch, phase: PHASES[call], until }, [...before, { do: call, call: epoch }]];
}
