import { type Channel, type Consumer, type Message, type Model, QUEUES } from '../model/index.ts';

export type Parts = (string | number | undefined | boolean)[];

/** Numbers channels and connections as they are met. */
export class Names {
  readonly #known = new Map<number, number>();

  of(id: number | undefined): number {
    if (id === undefined) return -1;
    const known = this.#known.get(id);
    if (known !== undefined) return known;
    this.#known.set(id, this.#known.size);
    return this.#known.size - 1;
  }
}

export function modelOf(model: Model, names: Names, parts: Parts): void {
  const { leaders, now } = model;
  parts.push(
    'model',
    leaders.lock,
    leaders.register,
    model.alarm,
    model.destroyNextReturn,
    model.links.join(),
  );
  for (const { of, channel, tellAt } of model.untold)
    parts.push(of, names.of(channel), Math.max(0, tellAt - now));
  for (const of of QUEUES) {
    const queue = model.queues[of];
    if (queue === undefined) continue;
    parts.push(of, names.of(queue.dyingFor));
    for (const message of queue.returned) messageOf(message, now, parts);
    parts.push('fresh');
    for (const message of queue.fresh) messageOf(message, now, parts);
    parts.push('active');
    if (queue.active !== undefined) consumerOf(model, queue.active, names, parts);
    parts.push('waiting');
    for (const consumer of queue.waiting) consumerOf(model, consumer, names, parts);
    parts.push('cancelled');
    for (const consumer of queue.cancelled) consumerOf(model, consumer, names, parts);
  }
  // Those that have no name yet are of nobody any more, and differ in what they hold only.
  const sorted = [...model.channels.values()].map((channel) => [names.of(channel.id), channel] as const);
  for (const [, channel] of sorted.sort((a, b) => a[0] - b[0])) channelOf(model, channel, names, parts);
  for (const { id, isOpen, blocked } of model.connections.values()) {
    if (isOpen) parts.push(names.of(id), blocked);
  }
}

function messageOf({ label, returns, failures, expiresAt }: Message, now: number, parts: Parts): void {
  parts.push(label, returns, failures, expiresAt !== undefined && Math.max(0, expiresAt - now));
}

function consumerOf(model: Model, consumer: Consumer, names: Names, parts: Parts): void {
  const { channel, held, status, deaf } = consumer;
  parts.push(names.of(channel), status, deaf);
  for (const { message, handOut } of held) {
    messageOf(message, model.now, parts);
    parts.push(model.handOuts - handOut);
  }
}

function channelOf(model: Model, channel: Channel, names: Names, parts: Parts): void {
  const { now, handOuts } = model;
  parts.push(
    'channel',
    names.of(channel.id),
    names.of(channel.connection),
    channel.isOpen,
    channel.consumes.join(' '),
    channel.limited,
  );
  parts.push(channel.busy?.do, channel.busy?.of);
  for (const { deliveryTag, of, handOut } of channel.unacked)
    parts.push(channel.lastTag - deliveryTag, of, handOuts - handOut);
  for (const frame of channel.up) {
    parts.push('up', frame.do, 'of' in frame && frame.of);
    if ('label' in frame) parts.push(frame.label);
    if ('deliveryTag' in frame) parts.push(channel.lastTag - frame.deliveryTag);
  }
  for (const of of QUEUES) {
    for (const command of channel.toQueue[of]) {
      parts.push('to', of, command.ask);
      if ('message' in command) messageOf(command.message, now, parts);
      if ('handOut' in command) parts.push(handOuts - command.handOut);
    }
    for (const effect of channel.fromQueue[of]) {
      parts.push('from', of, effect.tell);
      if ('frame' in effect) parts.push(JSON.stringify(effect.frame));
      if ('message' in effect) messageOf(effect.message, now, parts);
      if ('handOut' in effect) parts.push(handOuts - effect.handOut);
    }
  }
  for (const frame of channel.down) {
    parts.push('down', frame.is, 'of' in frame && frame.of);
    if (frame.is === 'declare-ok') parts.push(frame.ready, frame.consumers);
    if (frame.is === 'closed') parts.push(frame.code);
    if (frame.is !== 'deliver') continue;
    messageOf(frame.message, now, parts);
    parts.push(channel.lastTag - frame.deliveryTag, handOuts - frame.handOut);
  }
}
