import type { Delivery } from '../port.ts';
import { decodeMessage } from '../token.ts';
import { delaying, parting } from './delaying.ts';
import { granting, holding } from './holding.ts';
import { renew } from './replace-token.ts';
import type { At, ContenderEvent, Rules, Step, Surroundings } from './types.ts';
import { isLive, surfacedSeed, type TokenMessage } from './waiting.ts';

type WithToken = At<'granting' | 'delaying' | 'parting' | 'held' | 'verifying'>;

/**
 * A contender that has a token, or has asked for it, and is handed another one that is not to be granted: its own was
 * destroyed, and this lay behind it. Closing would give it back, and a seed that has come back once looks live to
 * everybody. So it is replaced, whatever else comes of the event.
 */
export function surfacing(state: WithToken, event: ContenderEvent, around: Surroundings, rules: Rules): Step {
  const [next, effects] = withToken(state, event, around, rules);
  const isHere = event.type === 'delivered' && event.line === state.line;
  const dead = isHere ? deadToken(state, event.delivery, around, rules) : undefined;
  if (!isHere || dead === undefined) return [next, effects];
  const { turn, line, traits } = state;
  const told = effects.filter((effect) => effect.do === 'lose');
  const waits = state.at === 'granting' || (state.at === 'delaying' && !state.abandoned);
  const [replacing, more] = renew({ turn, line, traits }, event.delivery.deliveryTag, around, {
    abandoned: !waits,
    surfaced: surfacedSeed(dead, around),
  });
  return [replacing, [{ do: 'saw', fence: dead.fence }, ...told, ...more]];
}

function withToken(state: WithToken, event: ContenderEvent, around: Surroundings, rules: Rules): Step {
  switch (state.at) {
    case 'granting':
      return granting(state, event, around, rules);
    case 'delaying':
      return delaying(state, event, around, rules);
    case 'parting':
      return parting(state, event, around, rules);
    default:
      return holding(state, event, around, rules);
  }
}

function deadToken(
  { hold }: WithToken,
  { body, returns }: Delivery,
  around: Surroundings,
  { name }: Rules,
): TokenMessage | undefined {
  if (Buffer.compare(body, hold.body) === 0) return undefined;
  const message = decodeMessage(body, returns, name);
  const isOther = message.kind === 'token' && message.token.id !== hold.id;
  return isOther && !isLive(message, around) ? message : undefined;
}
