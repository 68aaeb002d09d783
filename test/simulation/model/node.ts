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
import type { Channel, ClientFrame, Command, Model, Queue, ServerFrame } from './state.ts';

/** A consumer hears this late that its queue was deleted (3.10.8: about 30 ms; 4.x: at once). */
const TOLD_AFTER_MS = 30;

/** Whether the leader and the node of a channel hear each other. */
export function isLinked({ leader, links }: Model, node: number): boolean {
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
  switch (frame?.do) {
    case 'look':
      if (model.queue === undefined) refuse(channel, 404);
      else request(model, channel, frame.do, { ask: 'stat' });
      break;
    case 'declare':
      if (model.queue === undefined) {
        model.queue = newQueue();
        model.events.push({ was: 'queue-created', channel: channel.id });
      }
      request(model, channel, frame.do, { ask: 'stat' });
      break;
    case 'delete':
    case 'purge':
      if (model.queue !== undefined) request(model, channel, frame.do, { ask: frame.do });
      else if (frame.do === 'delete') channel.down.push({ is: 'delete-ok' });
      else refuse(channel, 404);
      break;
    case 'consume':
      if (model.queue === undefined) refuse(channel, 404);
      else request(model, channel, frame.do, { ask: 'checkout' });
      break;
    case 'cancel':
      request(model, channel, frame.do, { ask: 'cancel' });
      break;
    case 'publish':
      publish(model, channel, frame);
      break;
    case 'requeue':
    case 'ack':
      settleTag(model, channel, frame);
      break;
    case 'close':
      end(channel);
      channel.down.push({ is: 'close-ok' });
  }
}

/** The leader applies the next command of a channel. A look at a leader that is out of reach: {@link answerNothing}. */
export function applyCommand(model: Model, channel: Channel): void {
  const command = channel.toQueue.shift();
  if (command !== undefined) apply(model, channel.id, command);
}

/** A queue that cannot answer within 250 ms is told as empty and unused, without an error (all versions). */
export function answerNothing(channel: Channel): void {
  channel.toQueue = channel.toQueue.filter(({ ask }) => ask !== 'stat');
  channel.busy = undefined;
  if (channel.isOpen) channel.down.push({ is: 'declare-ok', ready: 0, consumers: 0 });
}

export const isAsking = (channel: Channel): boolean =>
  (channel.busy === 'look' || channel.busy === 'declare') && channel.fromQueue.length === 0;

/** 3.10: whoever has not heard of the deletion in time is attached to the queue that there is now, or is told. */
export function tellDeletion(model: Model): void {
  const due = model.untold.filter(({ tellAt }) => tellAt <= model.now);
  model.untold = model.untold.filter(({ tellAt }) => tellAt > model.now);
  for (const { channel } of due) {
    if (model.queue === undefined) sendTo(model, channel, { tell: 'gone' });
    else if (model.channels.get(channel)?.isOpen) {
      model.events.push({ was: 'forgotten', channel });
      attach(model, channel, true);
    }
  }
}

/** 4.x: the metadata of a queue whose consumers have been cancelled is removed. */
export function finishDeletion(model: Model): void {
  const deleter = model.queue?.dyingFor;
  if (deleter === undefined) return;
  model.queue = undefined;
  model.events.push({ was: 'queue-deleted', channel: deleter });
  sendTo(model, deleter, { tell: 'reply', frame: { is: 'delete-ok' } });
}

function apply(model: Model, id: number, command: Command): void {
  const { queue } = model;
  const reply = (frame: ServerFrame) => sendTo(model, id, { tell: 'reply', frame });
  switch (command.ask) {
    case 'stat':
      reply({ is: 'declare-ok', ...depth(model) });
      break;
    case 'checkout':
      if (queue === undefined || queue.dyingFor !== undefined) {
        reply({ is: 'closed', code: 404 });
      } else {
        reply({ is: 'consume-ok' });
        attach(model, id);
      }
      break;
    case 'cancel':
      cancel(model, id);
      reply({ is: 'cancel-ok' });
      break;
    case 'down':
      model.untold = model.untold.filter(({ channel }) => channel !== id);
      detach(model, id, 'channel');
      break;
    case 'enqueue':
      enqueue(model, command.message);
      sendTo(model, id, { tell: 'confirm' });
      break;
    case 'settle':
      settle(model, id, command.handOut);
      break;
    case 'return':
      giveBackOne(model, id, command.handOut);
      break;
    case 'purge':
      purge(model, 'purge');
      reply({ is: 'purge-ok' });
      break;
    case 'delete':
      if (queue === undefined || queue.dyingFor !== undefined) reply({ is: 'delete-ok' });
      else remove(model, queue, id);
  }
}

function remove(model: Model, queue: Queue, deleter: number): void {
  const line = consumers(queue);
  const all = [...line, ...queue.cancelled];
  for (const { channel, held } of all) {
    model.events.push({ was: 'unseated', channel });
    if (held === undefined) continue;
    model.events.push({ was: 'taken', channel, message: held, why: 'deleted' });
    model.events.push({ was: 'destroyed', message: held, why: 'deleted' });
  }
  for (const message of ready(queue)) model.events.push({ was: 'destroyed', message, why: 'deleted' });
  if (model.version === '3.10') {
    const tellAt = model.now + TOLD_AFTER_MS;
    // Who was attached without a word is told nothing of later deletions, and is not attached again (seen).
    const heard = line.filter(({ deaf }) => !deaf);
    model.untold = [...model.untold, ...heard.map(({ channel }) => ({ channel, tellAt }))];
    model.queue = undefined;
    model.events.push({ was: 'queue-deleted', channel: deleter });
    sendTo(model, deleter, { tell: 'reply', frame: { is: 'delete-ok' } });
    return;
  }
  for (const { channel } of line) sendTo(model, channel, { tell: 'gone' });
  model.queue = { ...newQueue(), dyingFor: deleter };
}

function publish(model: Model, channel: Channel, frame: Extract<ClientFrame, { do: 'publish' }>): void {
  const { label, body, expirationMs, returns = 0 } = frame;
  if (model.alarm) {
    const connection = model.connections.get(channel.connection);
    if (connection !== undefined) connection.blocked = true;
    channel.up.unshift(frame);
    return;
  }
  const expiresAt = expirationMs === undefined ? undefined : model.now + expirationMs;
  const message = { label, body, returns, failures: 0, expiresAt };
  if (model.queue === undefined) {
    model.events.push({ was: 'destroyed', message, why: 'unrouted' });
    channel.down.push({ is: 'returned' });
  } else {
    pass(model, channel, { ask: 'enqueue', message });
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
  pass(model, channel, { ask: frame.do === 'ack' ? 'settle' : 'return', handOut: entry.handOut });
}

function request(model: Model, channel: Channel, busy: ClientFrame['do'], command: Command): void {
  channel.busy = busy;
  pass(model, channel, command);
}

/** On the leader's own node there is no link to pass. */
function pass(model: Model, channel: Channel, command: Command): void {
  if (channel.node === model.leader && channel.toQueue.length === 0) apply(model, channel.id, command);
  else channel.toQueue.push(command);
}
