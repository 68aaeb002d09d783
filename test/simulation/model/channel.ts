import { type Channel, type Effect, type Model, QUEUES, type QueueName } from './state.ts';

/** From a leader to the process of a channel: on its own node there is no link to pass. */
export function sendTo(model: Model, of: QueueName, id: number, effect: Effect): void {
  const channel = model.channels.get(id);
  if (channel === undefined) return;
  channel.fromQueue[of].push(effect);
  if (channel.node === model.leaders[of] && channel.fromQueue[of].length === 1) takeEffect(channel, of);
}

/** The channel's process takes the next message of a leader. */
export function takeEffect(channel: Channel, of: QueueName): void {
  const effect = channel.fromQueue[of].shift();
  if (effect === undefined) return;
  if (effect.tell === 'reply') {
    channel.busy = undefined;
    if (effect.frame.is === 'consume-ok') channel.consumes = [...channel.consumes, of];
  }
  if (!channel.isOpen) return;
  switch (effect.tell) {
    case 'reply':
      if (effect.frame.is === 'closed') refuse(channel, effect.frame.code);
      else channel.down.push(effect.frame);
      break;
    case 'confirm':
      channel.down.push({ is: 'confirm' });
      break;
    case 'gone':
      if (channel.consumes.includes(of)) channel.down.push({ is: 'cancel', of });
      channel.consumes = channel.consumes.filter((each) => each !== of);
      break;
    case 'deliver': {
      const { message, handOut } = effect;
      const deliveryTag = channel.lastTag + 1;
      channel.lastTag = deliveryTag;
      channel.unacked = [...channel.unacked, { deliveryTag, of, handOut }];
      channel.down.push({ is: 'deliver', of, deliveryTag, message, handOut });
    }
  }
}

/** The broker's end of a channel is gone; each leader hears of it after everything the channel has asked it before. */
export function end(channel: Channel): void {
  if (!channel.isOpen) return;
  const { busy, consumes, toQueue } = channel;
  channel.isOpen = false;
  channel.busy = undefined;
  channel.up = [];
  // Also on the leader's own node: close-ok comes before the token is back (all versions).
  for (const of of QUEUES) {
    const isKnown = of === 'lock' || busy?.of === of || consumes.includes(of) || toQueue[of].length > 0;
    if (isKnown) toQueue[of].push({ ask: 'down' });
  }
}

/** channel.close by the broker. */
export function refuse(channel: Channel, code: 403 | 404 | 406): void {
  end(channel);
  channel.down.push({ is: 'closed', code });
}
