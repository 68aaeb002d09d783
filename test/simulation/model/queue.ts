import { sendTo } from './channel.ts';
import type { Channel, Consumer, Held, Message, Model, Queue, QueueName, Taken } from './state.ts';

/**
 * The quorum queue with a single active consumer, as its leader applies the log (rabbit_fifo): one command is one
 * step. What it sends goes to the processes of the channels, over a link when these are on another node.
 */
export function newQueue(): Queue {
  return { returned: [], fresh: [], active: undefined, waiting: [], cancelled: [], dyingFor: undefined };
}

/** Only the active consumer is counted, and cancelled ones that still hold a message (3.10, 4.0 and 4.3 alike). */
export function depth(model: Model, of: QueueName): { ready: number; consumers: number } {
  const queue = model.queues[of];
  if (queue === undefined || queue.dyingFor !== undefined) return { ready: 0, consumers: 0 };
  expire(model, of, queue);
  return {
    ready: queue.returned.length + queue.fresh.length,
    consumers: (queue.active === undefined ? 0 : 1) + queue.cancelled.length,
  };
}

export function enqueue(model: Model, of: QueueName, message: Message): void {
  const queue = model.queues[of];
  if (queue === undefined || queue.dyingFor !== undefined) {
    model.events.push({ was: 'destroyed', of, message, why: 'unrouted' });
    return;
  }
  queue.fresh.push(message);
  serve(model, of, queue);
}

export function attach(model: Model, of: QueueName, channel: number, prefetch: number, deaf = false): void {
  const queue = model.queues[of];
  if (queue === undefined) return;
  const consumer: Consumer = { channel, prefetch, held: [], status: 'up', deaf };
  if (!deaf) model.events.push({ was: 'attached', of, channel });
  if (queue.active === undefined) queue.active = consumer;
  else queue.waiting.push(consumer);
  serve(model, of, queue);
}

/** basic.cancel: what it holds stays with it, unacked, while the next in line becomes active (seen, all versions). */
export function cancel(model: Model, of: QueueName, channel: number): void {
  const queue = model.queues[of];
  if (queue === undefined) return;
  const consumer = consumers(queue).find((each) => each.channel === channel);
  if (consumer === undefined) return;
  forget(queue, consumer);
  if (consumer.held.length > 0) queue.cancelled.push(consumer);
  serve(model, of, queue);
}

/** A channel has ended: what its consumer held goes back to the head, and the next in line is served, in one step. */
export function detach(model: Model, of: QueueName, channel: number, why: Taken): void {
  const queue = model.queues[of];
  if (queue === undefined) return;
  for (const consumer of [...consumers(queue), ...queue.cancelled]) {
    if (consumer.channel !== channel) continue;
    forget(queue, consumer);
    for (const held of consumer.held) giveBack(model, of, queue, channel, held, why);
  }
  serve(model, of, queue);
}

export function settle(model: Model, of: QueueName, channel: number, handOut: number): void {
  const queue = model.queues[of];
  const held = queue && letGo(queue, channel, handOut);
  if (queue === undefined || held === undefined) return;
  model.events.push({ was: 'acked', of, channel, message: held.message });
  serve(model, of, queue);
}

/** With requeue: to the head and, as the consumer stays active, straight back to it. */
export function giveBackOne(
  model: Model,
  of: QueueName,
  channel: number,
  handOut: number,
  why: 'nack' | 'reject',
): void {
  const queue = model.queues[of];
  const held = queue && letGo(queue, channel, handOut);
  if (queue === undefined || held === undefined) return;
  giveBack(model, of, queue, channel, held, why);
  serve(model, of, queue);
}

/**
 * `down` with `noconnection` below 4.3: what consumers of that node hold goes back at once, the active one joins the
 * end of the line, and all of them are suspected, which nobody tells them (rabbit_fifo; seen on 4.0.5).
 */
export function suspect(model: Model, of: QueueName, isThere: (channel: number) => boolean): void {
  const queue = model.queues[of];
  if (queue === undefined) return;
  const { active } = queue;
  if (active !== undefined && isThere(active.channel)) {
    model.events.push({ was: 'deposed', of, channel: active.channel });
    queue.active = undefined;
    queue.waiting.push({ ...active, held: [] });
    for (const held of active.held) giveBack(model, of, queue, active.channel, held, 'link');
  }
  for (const consumer of queue.cancelled.filter(({ channel }) => isThere(channel))) {
    forget(queue, consumer);
    for (const held of consumer.held) giveBack(model, of, queue, consumer.channel, held, 'link');
  }
  queue.waiting = queue.waiting.map((each) =>
    isThere(each.channel) ? { ...each, status: 'suspected' } : each,
  );
  serve(model, of, queue);
}

/** `nodeup`: those who were suspected are served again, and nobody tells them this either. */
export function trust(model: Model, of: QueueName, isThere: (channel: number) => boolean): void {
  const queue = model.queues[of];
  if (queue === undefined) return;
  queue.waiting = queue.waiting.map((each) => (isThere(each.channel) ? { ...each, status: 'up' } : each));
  serve(model, of, queue);
}

/** Ready messages only: what is held is not purged. */
export function purge(model: Model, of: QueueName, why: 'purge' | 'policy'): void {
  const queue = model.queues[of];
  if (queue === undefined) return;
  for (const message of ready(queue)) model.events.push({ was: 'destroyed', of, message, why });
  queue.returned = [];
  queue.fresh = [];
}

/** Who consumes from the queue; the active one first. */
export function consumers(queue: Queue): Consumer[] {
  return queue.active === undefined ? queue.waiting.slice() : [queue.active, ...queue.waiting];
}

export const ready = (queue: Queue): readonly Message[] => [...queue.returned, ...queue.fresh];

export function channelsOn(model: Model, node: number): (channel: number) => boolean {
  return (id) => (model.channels.get(id) as Channel | undefined)?.node === node;
}

/** Takes a message out of the hands of anybody who has it; a cancelled consumer with nothing left is gone. */
function letGo(queue: Queue, channel: number, handOut: number): Held | undefined {
  for (const consumer of [...consumers(queue), ...queue.cancelled]) {
    const held = consumer.channel === channel && consumer.held.find((each) => each.handOut === handOut);
    if (!held) continue;
    const left: Consumer = { ...consumer, held: consumer.held.filter((each) => each !== held) };
    const replace = (each: Consumer) => (each === consumer ? left : each);
    if (queue.active === consumer) queue.active = left;
    queue.waiting = queue.waiting.map(replace);
    queue.cancelled = queue.cancelled.map(replace).filter((each) => each.held.length > 0);
    return held;
  }
  return undefined;
}

function forget(queue: Queue, consumer: Consumer): void {
  if (queue.active === consumer) queue.active = undefined;
  queue.waiting = queue.waiting.filter((each) => each !== consumer);
  queue.cancelled = queue.cancelled.filter((each) => each !== consumer);
}

function giveBack(
  model: Model,
  of: QueueName,
  queue: Queue,
  channel: number,
  { message }: Held,
  why: Taken,
): void {
  model.events.push({ was: 'taken', of, channel, message, why });
  if (model.destroyNextReturn) {
    model.destroyNextReturn = false;
    model.events.push({ was: 'destroyed', of, message, why: 'policy' });
    return;
  }
  const hasFailed = isFailure(model, why);
  const returns = message.returns + (hasFailed && model.version === '4.3' ? 2 : 1);
  const failures = message.failures + (hasFailed ? 1 : 0);
  if (failures > model.deliveryLimit) model.events.push({ was: 'destroyed', of, message, why: 'limit' });
  else queue.returned.push({ ...message, returns, failures });
}

/**
 * On 4.3 the end of a channel, of a connection or of the node and a reject count in both headers, a nack in
 * x-acquired-count only (seen), and so does the return from a node that was given up (rabbit_fifo).
 */
function isFailure({ version }: Model, why: Taken): boolean {
  return version !== '4.3' || (why !== 'nack' && why !== 'link');
}

/** Makes the longest waiter active when nobody is, and hands it the head of the queue, as far as its prefetch goes. */
function serve(model: Model, of: QueueName, queue: Queue): void {
  if (queue.active === undefined) {
    const next = queue.waiting.findIndex(({ status }) => status === 'up');
    if (next < 0) return;
    queue.active = queue.waiting[next];
    queue.waiting = queue.waiting.filter((_, index) => index !== next);
  }
  while (queue.active !== undefined && queue.active.held.length < queue.active.prefetch) {
    const { active } = queue;
    expire(model, of, queue);
    const message = queue.returned.shift() ?? queue.fresh.shift();
    if (message === undefined) return;
    model.handOuts += 1;
    const { handOuts: handOut } = model;
    queue.active = { ...active, held: [...active.held, { message, handOut }] };
    model.events.push({ was: 'handed', of, channel: active.channel, message, handOut });
    if (!active.deaf) sendTo(model, of, active.channel, { tell: 'deliver', message, handOut });
  }
}

/**
 * Expired messages are dropped when they are at the head of what is ready, and not before. 4.3 looks at the head of
 * what came back and at the head of the rest apart from each other (seen).
 */
function expire(model: Model, of: QueueName, queue: Queue): void {
  expireHead(model, of, queue.returned);
  if (queue.returned.length === 0 || model.version === '4.3') expireHead(model, of, queue.fresh);
}

function expireHead(model: Model, of: QueueName, messages: Message[]): void {
  for (;;) {
    const [head] = messages;
    if (head?.expiresAt === undefined || head.expiresAt > model.now) return;
    messages.shift();
    model.events.push({ was: 'destroyed', of, message: head, why: 'ttl' });
  }
}
