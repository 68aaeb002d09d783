import type { Delivery } from '../port.ts';
import { decodeMessage } from '../token.ts';
import { delaying } from './delaying.ts';
import { granting } from './granting.ts';
import { holding } from './holding.ts';
import { releasing } from './releasing.ts';
import { replaceToken } from './replace-token.ts';
import type { At, ContenderEvent, Inputs, Rules, Step } from './types.ts';
import { isLive, surfacedSeed, type TokenMessage } from './waiting.ts';

type WithToken = At<'granting' | 'delaying' | 'releasing' | 'held' | 'verifying'>;

/**
 * A contender that has a token, or has asked for it, and is handed another one that is not to be granted: its own was
 * destroyed, and this lay behind it. Closing would give it back, and a seed that has come back once looks live to
 * everybody. So it is replaced, whatever else comes of the event.
 */
export function surfacing(state: WithToken, event: ContenderEvent, inputs: Inputs, rules: Rules): Step {
  const [next, effects] = withToken(state, event, inputs, rules);
  const isHere = event.type === 'delivered' && event.channelId === state.channelId;
  const dead = isHere ? deadToken(state, event.delivery, inputs, rules) : undefined;
  if (!isHere || dead === undefined) return [next, effects];
  const { epoch, channelId, traits } = state;
  const told = effects.filter((effect) => effect.do === 'lost');
  const waits = state.at === 'granting' || (state.at === 'delaying' && !state.abandoned);
  const [replacing, more] = replaceToken({ epoch, channelId, traits }, event.delivery.deliveryTag, inputs, {
    abandoned: !waits,
    surfaced: surfacedSeed(dead, inputs),
  });
  return [replacing, [{ do: 'fence-seen', fence: dead.fence }, ...told, ...more]];
}

function withToken(state: WithToken, event: ContenderEvent, inputs: Inputs, rules: Rules): Step {
  switch (state.at) {
    case 'granting':
      return granting(state, event, inputs, rules);
    case 'delaying':
      return delaying(state, event, inputs, rules);
    case 'releasing':
      return releasing(state, event, inputs, rules);
    default:
      return holding(state, event, inputs, rules);
  }
}

function deadToken(
  { hold }: WithToken,
  { body, returns }: Delivery,
  inputs: Inputs,
  { name }: Rules,
): TokenMessage | undefined {
  if (Buffer.compare(body, hold.body) === 0) return undefined;
  const message = decodeMessage(body, returns, name);
  const isOther = message.kind === 'token' && message.token.id !== hold.id;
  return isOther && !isLive(message, inputs) ? message : undefined;
}
