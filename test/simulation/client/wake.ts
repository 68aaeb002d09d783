import { statefulWakeAt } from '../../../src/protocol/register/step.ts';
import { instantOf, type World } from '../world.ts';
import { dispatch } from './contender.ts';
import type { Client, Contender } from './state.ts';

/** The instant of the contender's next wake-up on its client's monotonic clock. */
export function nextWake(contender: Contender): number | undefined {
  const { state, register } = contender;
  const at = statefulWakeAt({ contender: state, register }, contender.rules);
  const { answerBy } = contender;
  if (answerBy === undefined || contender.granted || contender.refused) return at;
  return at === undefined ? answerBy : Math.min(at, answerBy);
}

export function wake(world: World, client: Client, contender: Contender): void {
  const { answerBy } = contender;
  const { mono } = instantOf(world, client);
  if (answerBy !== undefined && mono >= answerBy && !contender.granted && !contender.refused) {
    contender.answerBy = undefined;
    dispatch(world, client, contender, { type: 'give-up' });
  }
  dispatch(world, client, contender, { type: 'wake' });
}
