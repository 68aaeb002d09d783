import type { At, Effect, Step, Surroundings } from './types.ts';

export type Renewing = At<'renewing'>;

/** How long one answer is awaited: somebody waits for the release, but who heals a lock has nothing to go back to. */
const ANSWER_MS = { releasing: 1_000, healing: 5_000 };
const PHASES = { probe: 'trying', purge: 'purging', seed: 'seeding', look: 'looking' } as const;

type Why = Partial<Pick<Renewing, 'rejoins' | 'releases' | 'abandoned' | 'crowded' | 'surfaced'>>;

/** Puts a new token in the place of what the active consumer has in hand, and must not be granted (any more). */
export function renew(
  { turn, line, traits }: Pick<At<'waiting'>, 'turn' | 'line' | 'traits'>,
  deliveryTag: number,
  around: Surroundings,
  { rejoins = false, releases = false, abandoned = false, crowded = false, surfaced }: Why = {},
): Step {
  const state: Renewing = {
    at: 'renewing',
    turn,
    line,
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
  return ask(state, emptiesQueue(state) ? 'probe' : 'purge', around);
}

/** Only then Raft's log is truncated on 3.x, see renewing.ts. */
export const emptiesQueue = ({ releases, traits }: Renewing): boolean => releases && traits.version[0] < 4;

export function ask(
  state: Renewing,
  call: keyof typeof PHASES,
  { now }: Surroundings,
  before: readonly Effect[] = [],
): Step {
  const turn = state.turn + 1;
  const until = now.mono + (state.releases ? ANSWER_MS.releasing : ANSWER_MS.healing);
  return [{ ...state, turn, phase: PHASES[call], until }, [...before, { do: call, call: turn }]];
}
