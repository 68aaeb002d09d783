import { end } from './channel.ts';
import { channelsOn, detach, suspect, trust } from './queue.ts';
import type { Channel, Connection, Model } from './state.ts';

/** A connection to a node. */
export function openConnection(model: Model, node = 0): number {
  model.lastId += 1;
  model.connections.set(model.lastId, { id: model.lastId, node, isOpen: true, blocked: false });
  return model.lastId;
}

/** A fresh channel with prefetch 1. */
export function openChannel(model: Model, connectionId: number): number {
  model.lastId += 1;
  const id = model.lastId;
  const connection = connectionOf(model, connectionId);
  const channel: Channel = {
    id,
    connection: connectionId,
    node: connection.node,
    isOpen: connection.isOpen,
    hasConsumer: false,
    busy: undefined,
    lastTag: 0,
    unacked: [],
    up: [],
    toQueue: [],
    fromQueue: [],
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

/** Everything connected to the node is gone; the queue is kept, and its token comes back first, counted once. */
export function restartNode(model: Model, node: number): void {
  for (const connection of model.connections.values()) {
    if (connection.node === node) endConnection(model, connection.id);
  }
  for (const channel of model.channels.values()) {
    if (channel.node !== node) continue;
    channel.toQueue = channel.toQueue.filter(({ ask }) => ask === 'enqueue');
    channel.fromQueue = [];
    detach(model, channel.id, 'restart');
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
 */
export function dropLink(model: Model, node: number, { lose }: { lose: boolean }): void {
  model.links[node] = 'down';
  if (lose) {
    for (const channel of model.channels.values()) {
      if (channel.node !== node) continue;
      channel.fromQueue = channel.fromQueue.filter(({ tell }) => tell !== 'deliver');
    }
  }
  if (model.version !== '4.3') suspectNode(model, node);
}

/** The leader gives the consumers of a node up: at once below 4.3, on 4.3 after it has waited for about 60 s. */
export function suspectNode(model: Model, node: number): void {
  model.links[node] = 'given-up';
  suspect(model, channelsOn(model, node));
}

/** The link is there again, and with it what was stuck. Nobody is told what happened meanwhile. */
export function restoreLink(model: Model, node: number): void {
  model.links[node] = 'up';
  trust(model, channelsOn(model, node));
}

/** Another node leads. What the Raft log has is kept: messages stay with their consumers, confirmed publishes too. */
export function changeLeader(model: Model, leader: number): void {
  model.leader = leader;
}

/** Forgets ends that nobody will ever look at again. */
export function sweep(model: Model, isWatched: (channel: number) => boolean): void {
  for (const [id, channel] of model.channels) {
    if (!channel.isOpen && channel.toQueue.length === 0 && !isWatched(id)) model.channels.delete(id);
  }
}

function connectionOf(model: Model, id: number): Connection {
  const connection = model.connections.get(id);
  if (connection === undefined) throw new Error(`there is no connection ${id}`);
  return connection;
}
