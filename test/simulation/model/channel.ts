import type { Channel, Effect, Model } from './state.ts';

/** From the leader to the process of a channel: on its own node there is no link to pass. */
export function sendTo(model: Model, id: number, effect: Effect): void {
  const channel = model.channels.get(id);
  if (channel === undefined) return;
  channel.fromQueue.push(effect);
  if (channel.node === model.leader && channel.fromQueue.length === 1) takeEffect(channel);
}

/** The channel's process takes the next message of the leader. */
export function takeEffect(channel: Channel): void {
  const effect = channel.fromQueue.shift();
  if (effect === undefined) return;
  if (effect.tell === 'reply') {
    channel.busy = undefined;
    if (effect.frame.is === 'consume-ok') channel.hasConsumer = true;
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
      if (channel.hasConsumer) channel.down.push({ is: 'cancel' });
      channel.hasConsumer = false;
      break;
    case 'deliver': {
      const { message, handOut } = effect;
      const deliveryTag = channel.lastTag + 1;
      channel.lastTag = deliveryTag;
      channel.unacked = [...channel.unacked, { deliveryTag, handOut }];
      channel.down.push({ is: 'deliver', deliveryTag, message, handOut });
    }
  }
}

/** The broker's end of a channel is gone; the leader hears of it after everything the channel has asked before. */
export function end(channel: Channel): void {
  if (!channel.isOpen) return;
  channel.isOpen = false;
  channel.busy = undefined;
  channel.up = [];
  // Also on the leader's own node: close-ok comes before the token is back (all versions).
  channel.toQueue.push({ ask: 'down' });
}

/** channel.close by the broker. */
export function refuse(channel: Channel, code: 404 | 406): void {
  end(channel);
  channel.down.push({ is: 'closed', code });
}
