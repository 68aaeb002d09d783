import { end } from './channel.ts';
import { channelsOn, detach, suspect, trust } from './queue.ts';
import { type Channel, type Connection, type Model, QUEUES, type QueueName } from './state.ts';

/** A connection to a node. */
export function openConnection(model: Model, node = 0, readsOnly = false): number {
  model.lastId += 1;
  model.connections.set(model.lastId, { id: model.lastId, node, isOpen: true, blocked: false, readsOnly });
  return model.lastId;
}

/** A fresh channel. */
export function openChannel(model: Model, connectionId: number): number {
  model.lastId += 1;
  const id = model.lastId;
  const connection = connectionOf(model, connectionId);
  const channel: Channel = {
    id,
    connection: connectionId,
    node: connection.node,
    isOpen: connection.isOpen,
    consumes: [],
    limited: false,
    busy: undefined,
    lastTag: 0,
    unacked: [],
    up: [],
    toQueue: { lock: [], register: [] },
    fromQueue: { lock: [], register: [] },
    down: [],
  };
  model.channels.set(id, channel);
  return id;
}

/** The broker's end of a connection is gone: by a reset, missed heartbeats, or an orderly close. The client reads on by itself. */
export function endConnection(model: Model, id: number): void {
  const connection = model.connections.get(id);
  if (connection?.isOpen !== true) return;
  connection.isOpen = false;
  connection.blocked = false;
  for (const channel of model.channels.values()) if (channel.connection === id) end(channel);
}

/** A memory or disk alarm: publishes are not read, and neither is anything else on their connection. */
export function setAlarm(model: Model, on: boolean): void {
  model.alarm = on;
  if (!on) for (const connection of model.connections.values()) connection.blocked = false;
}

/** Everything connected to the node is gone; the queues are kept, and what was held comes back first, counted once. */
export function restartNode(model: Model, node: number): void {
  for (const connection of model.connections.values()) {
    if (connection.node === node) endConnection(model, connection.id);
  }
  for (const channel of model.channels.values()) {
    if (channel.node !== node) continue;
    for (const of of QUEUES) {
      channel.toQueue[of] = channel.toQueue[of].filter(({ ask }) => ask === 'enqueue');
      channel.fromQueue[of] = [];
      detach(model, of, channel.id, 'restart');
    }
  }
  model.untold = model.untold.filter(({ channel }) => !channelsOn(model, node)(channel));
}

/** Nothing passes between the node and the others any more, and nobody is told. */
export function stallLink(model: Model, node: number): void {
  if (model.links[node] === 'up') model.links[node] = 'stalled';
}

/**
 * Both ends know that the link is down. Below 4.3, or once `patience` is over, the leader takes back what consumers of
 * that node hold. What was on its way to them is lost when `lose` says so, else it arrives late; commands always do.
 * `between`: only the link to the node that leads that queue.
 */
export function dropLink(
  model: Model,
  node: number,
  { lose, between = QUEUES }: { lose: boolean; between?: readonly QueueName[] },
): void {
  model.links[node] = 'down';
  for (const of of lose ? between : []) {
    for (const channel of model.channels.values()) {
      if (channel.node !== node) continue;
      channel.fromQueue[of] = channel.fromQueue[of].filter(({ tell }) => tell !== 'deliver');
    }
  }
  if (model.version !== '4.3') suspectNode(model, node, between);
}

/** The leader gives the consumers of a node up: at once below 4.3, on 4.3 after it has waited for about 60 s. */
export function suspectNode(model: Model, node: number, between = QUEUES): void {
  model.links[node] = 'given-up';
  for (const of of between) suspect(model, of, channelsOn(model, node));
}

/** The link is there again, and with it what was stuck. Nobody is told what happened meanwhile. */
export function restoreLink(model: Model, node: number): void {
  model.links[node] = 'up';
  for (const of of QUEUES) trust(model, of, channelsOn(model, node));
}

/** Another node leads a queue. What the Raft log has is kept: messages stay with their consumers, confirmed publishes too. */
export function changeLeader(model: Model, of: QueueName, leader: number): void {
  model.leaders[of] = leader;
}

/** Forgets ends that nobody will ever look at again. */
export function sweep(model: Model, isWatched: (channel: number) => boolean): void {
  for (const [id, channel] of model.channels) {
    if (!channel.isOpen && !isAsked(channel) && !isWatched(id)) model.channels.delete(id);
  }
}

/** Whether a leader has yet to hear something of it. */
export const isAsked = ({ toQueue }: Channel): boolean => QUEUES.some((of) => toQueue[of].length > 0);

function connectionOf(model: Model, id: number): Connection {
  const connection = model.connections.get(id);
  if (connection === undefined) throw new Error(`there is no connection ${id}`);
  return connection;
}
