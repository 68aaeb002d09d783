/**
 * A model of RabbitMQ with the two queues of one lock: what the protocol can see of it, and nothing else. Everything is plain data
 * in one {@link Model}, which can be cloned; every function is synchronous.
 *
 *     const model = createModel('4.0');
 *     const channel = openChannel(model, openConnection(model));
 *     send(model, channel, { do: 'declare' });
 *     settle(model);                              // or one brokerSteps() at a time, with takeBrokerStep()
 *     receive(model, channel);                    // { is: 'declare-ok', ready: 0, consumers: 0 }
 *
 * A channel is two ordered pipes, client to node and back, and for each queue two more between its node and the queue's
 * leader when these are not the same node. Between different channels, and between the two queues, there is no order. A client drops its connection with
 * `endConnection`; an operator purges and deletes through a channel of his own.
 *
 * Deliberately not here: split metadata (a queue that only some nodes know), consumer priorities and timeouts, and
 * the arguments of a queue.
 */
export { refuse as closeChannel } from './channel.ts';
export {
  changeLeader,
  dropLink,
  endConnection,
  isAsked,
  openChannel,
  openConnection,
  restartNode,
  restoreLink,
  setAlarm,
  stallLink,
  suspectNode,
  sweep,
} from './cluster.ts';
export {
  advance,
  type BrokerStep,
  brokerSteps,
  channelOf,
  receive,
  send,
  settle,
  takeBrokerStep,
} from './drive.ts';
export { isLinked } from './node.ts';
export { consumers, depth, purge, ready } from './queue.ts';
export {
  type Channel,
  type ClientFrame,
  type Consumer,
  cloneModel,
  createModel,
  type Held,
  type LinkState,
  type Message,
  type Model,
  type ModelEvent,
  nackedOf,
  QUEUES,
  type Queue,
  type QueueName,
  type ServerFrame,
  type Version,
} from './state.ts';
