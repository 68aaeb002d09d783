import { end, refuse, sendTo } from './channel.ts';
import {
  attach,
  cancel,
  consumers,
  depth,
  detach,
  enqueue,
  giveBackOne,
  newQueue,
  purge,
  ready,
  settle,
} from './queue.ts';
import type { Channel, ClientFrame, Command, Model, Queue, QueueName, ServerFrame } from './state.ts';

/** A consumer hears this late that its queue was deleted (3.10.8: about 30 ms; 4.x: at once). */
const TOLD_AFTER_MS = 30;

/** Whether the leader of a queue and the node of a channel hear each other. */
export function isLinked({ leaders, links }: Model, of: QueueName, node: number): boolean {
  const leader = leaders[of];
  return node === leader || (links[node] === 'up' && links[leader] === 'up');
}

/** Whether the node can take the next frame that the client has written. */
export function canRead(model: Model, channel: Channel): boolean {
  if (channel.up.length === 0 || channel.busy !== undefined) return false;
  return channel.isOpen && model.connections.get(channel.connection)?.blocked === false;
}

/** The channel's process takes the next frame. */
export function readFrame(model: Model, channel: Channel): void {
  const frame = channel.up.shift();
  if (frame === undefined) return;
  const of = ('of' in frame && frame.of) || 'lock';
  const ask = (command: Command) => {
    channel.busy = { do: frame.do, of };
    pass(model, channel, of, command);
  };
  switch (frame.do) {
    case 'look':
      if (model.queues[of] === undefined) refuse(channel, 404);
      else ask({ ask: 'stat' });
      break;
    case 'declare':
      if (model.queues[of] === undefined) {
        model.queues[of] = newQueue();
        model.events.push({ was: 'queue-created', of, channel: channel.id });
      }
      ask({ ask: 'stat' });
      break;
    case 'delete':
    case 'purge':
      if (model.queues[of] !== undefined) ask({ ask: frame.do });
      else if (frame.do === 'delete') channel.down.push({ is: 'delete-ok' });
      else refuse(channel, 404);
      break;
    case 'consume':
      if (model.queues[of] === undefined) refuse(channel, 404);
      else ask({ ask: 'checkout', prefetch: frame.prefetch ?? 1 });
      break;
    case 'limit':
    case 'unlimit':
      channel.limited = frame.do === 'limit';
      break;
    case 'cancel':
      ask({ ask: 'cancel' });
      break;
    case 'publish':
      publish(model, channel, of, frame);
      break;
    case 'requeue':
    case 'reject':
    case 'ack':
      settleTag(model, channel, frame);
      break;
    case 'close':
      end(channel);
      channel.down.push({ is: 'close-ok' });
  }
}

/** A leader applies the next command of a channel. A look at a leader that is out of reach: {@link answerNothing}. */
export function applyCommand(model: Model, channel: Channel, of: QueueName): void {
  const command = channel.toQueue[of].shift();
  if (command !== undefined) apply(model, of, channel.id, command);
}

/** A queue that cannot answer within 250 ms is told as empty and unused, without an error (all versions). */
export function answerNothing(channel: Channel): void {
  const { busy } = channel;
  if (busy === undefined) return;
  channel.toQueue[busy.of] = channel.toQueue[busy.of].filter(({ ask }) => ask !== 'stat');
  channel.busy = undefined;
  if (channel.isOpen) channel.down.push({ is: 'declare-ok', ready: 0, consumers: 0 });
}

export const isAsking = ({ busy, fromQueue }: Channel, of: QueueName): boolean =>
  busy?.of === of && (busy.do === 'look' || busy.do === 'declare') && fromQueue[of].length === 0;

/** 3.10: anybody who has not heard of the deletion in time is attached to the queue that there is now, or is told. */
export function tellDeletion(model: Model): void {
  const due = model.untold.filter(({ tellAt }) => tellAt <= model.now);
  model.untold = model.untold.filter(({ tellAt }) => tellAt > model.now);
  for (const { of, channel, prefetch } of due) {
    const { isOpen, limited } = model.channels.get(channel) ?? {};
    if (model.queues[of] === undefined || limited) sendTo(model, of, channel, { tell: 'gone' });
    else if (isOpen) {
      model.events.push({ was: 'forgotten', of, channel });
      attach(model, of, channel, prefetch, true);
    }
  }
}

/** 4.x: the metadata of a queue whose consumers have been cancelled is removed. */
export function finishDeletion(model: Model, of: QueueName): void {
  const deleter = model.queues[of]?.dyingFor;
  if (deleter === undefined) return;
  model.queues[of] = undefined;
  model.events.push({ was: 'queue-deleted', of, channel: deleter });
  sendTo(model, of, deleter, { tell: 'reply', frame: { is: 'delete-ok' } });
}

function apply(model: Model, of: QueueName, id: number, command: Command): void {
  const queue = model.queues[of];
  const reply = (frame: ServerFrame) => sendTo(model, of, id, { tell: 'reply', frame });
  switch (command.ask) {
    case 'stat':
      reply({ is: 'declare-ok', ...depth(model, of) });
      break;
    case 'checkout':
      if (queue === undefined || queue.dyingFor !== undefined) {
        reply({ is: 'closed', code: 404 });
      } else {
        reply({ is: 'consume-ok', of });
        attach(model, of, id, command.prefetch);
      }
      break;
    case 'cancel':
      cancel(model, of, id);
      reply({ is: 'cancel-ok' });
      break;
    case 'down':
      model.untold = model.untold.filter((each) => each.of !== of || each.channel !== id);
      detach(model, of, id, 'channel');
      break;
    case 'enqueue':
      enqueue(model, of, command.message);
      sendTo(model, of, id, { tell: 'confirm' });
      break;
    case 'settle':
      settle(model, of, id, command.handOut);
      break;
    case 'return':
      giveBackOne(model, of, id, command.handOut, 'nack');
      break;
    case 'return-failed':
      giveBackOne(model, of, id, command.handOut, 'reject');
      break;
    case 'purge':
      purge(model, of, 'purge');
      model.events.push({ was: 'purged', of });
      reply({ is: 'purge-ok' });
      break;
    case 'delete':
      if (queue === undefined || queue.dyingFor !== undefined) reply({ is: 'delete-ok' });
      else remove(model, of, queue, id);
  }
}

function remove(model: Model, of: QueueName, queue: Queue, deleter: number): void {
  const line = consumers(queue);
  const all = [...line, ...queue.cancelled];
  for (const { channel, held } of all) {
    model.events.push({ was: 'unseated', of, channel });
    for (const { message } of held) {
      model.events.push({ was: 'taken', of, channel, message, why: 'deleted' });
      model.events.push({ was: 'destroyed', of, message, why: 'deleted' });
    }
  }
  for (const message of ready(queue)) model.events.push({ was: 'destroyed', of, message, why: 'deleted' });
  if (model.version === '3.10') {
    const tellAt = model.now + TOLD_AFTER_MS;
    // Who was attached without a word is told nothing of later deletions, and is not attached again (seen).
    const heard = line.filter(({ deaf }) => !deaf);
    const untold = heard.map(({ channel, prefetch }) => ({ of, channel, prefetch, tellAt }));
    model.untold = [...model.untold, ...untold];
    model.queues[of] = undefined;
    model.events.push({ was: 'queue-deleted', of, channel: deleter });
    sendTo(model, of, deleter, { tell: 'reply', frame: { is: 'delete-ok' } });
    return;
  }
  for (const { channel } of line) sendTo(model, of, channel, { tell: 'gone' });
  model.queues[of] = { ...newQueue(), dyingFor: deleter };
}

function publish(
  model: Model,
  channel: Channel,
  of: QueueName,
  frame: Extract<ClientFrame, { do: 'publish' }>,
): void {
  const { label, body, expirationMs, returns = 0 } = frame;
  const connection = model.connections.get(channel.connection);
  if (model.alarm) {
    if (connection !== undefined) connection.blocked = true;
    channel.up.unshift(frame);
    return;
  }
  if (connection?.readsOnly) {
    refuse(channel, 403);
    return;
  }
  const expiresAt = expirationMs === undefined ? undefined : model.now + expirationMs;
  const message = { label, body, returns, failures: 0, expiresAt };
  if (model.queues[of] === undefined) {
    model.events.push({ was: 'destroyed', of, message, why: 'unrouted' });
    channel.down.push({ is: 'returned' });
  } else {
    pass(model, channel, of, { ask: 'enqueue', message });
  }
}

function settleTag(
  model: Model,
  channel: Channel,
  frame: Extract<ClientFrame, { deliveryTag: number }>,
): void {
  const entry = channel.unacked.find(({ deliveryTag }) => deliveryTag === frame.deliveryTag);
  if (entry === undefined) {
    refuse(channel, 406);
    return;
  }
  channel.unacked = channel.unacked.filter((each) => each !== entry);
  const { of, handOut } = entry;
  pass(model, channel, of, { ask: ASKS[frame.do], handOut });
}

const ASKS = { ack: 'settle', requeue: 'return', reject: 'return-failed' } as const;

/** On the leader's own node there is no link to pass. */
function pass(model: Model, channel: Channel, of: QueueName, command: Command): void {
  if (channel.node === model.leaders[of] && channel.toQueue[of].length === 0)
    apply(model, of, channel.id, command);
  else channel.toQueue[of].push(command);
}
