import { takeEffect } from './channel.ts';
import {
  answerNothing,
  applyCommand,
  canRead,
  finishDeletion,
  isAsking,
  isLinked,
  readFrame,
  tellDeletion,
} from './node.ts';
import {
  type Channel,
  type ClientFrame,
  type Model,
  QUEUES,
  type QueueName,
  type ServerFrame,
} from './state.ts';

/** One step that the broker can take by itself. A scheduler picks among them; {@link settle} takes them all. */
export type BrokerStep =
  | { readonly do: 'read' | 'answer-nothing'; readonly channel: number }
  | { readonly do: 'apply' | 'take'; readonly channel: number; readonly of: QueueName }
  | { readonly do: 'finish-deletion'; readonly of: QueueName }
  | { readonly do: 'tell-deletion' };

/** The client writes a frame. It stays in the pipe until the broker reads it. */
export function send(model: Model, channel: number, frame: ClientFrame): void {
  if (channelOf(model, channel).isOpen) channelOf(model, channel).up.push(frame);
}

/** The client reads the next frame, if there is one. */
export function receive(model: Model, channel: number): ServerFrame | undefined {
  return model.channels.get(channel)?.down.shift();
}

/** What the broker can do now, in the order in which its parts came into being. */
export function brokerSteps(model: Model): BrokerStep[] {
  const steps: BrokerStep[] = [];
  for (const channel of model.channels.values()) {
    const { id, node } = channel;
    if (canRead(model, channel)) steps.push({ do: 'read', channel: id });
    for (const of of QUEUES) {
      if (isLinked(model, of, node)) {
        if (channel.toQueue[of].length > 0) steps.push({ do: 'apply', channel: id, of });
        if (channel.fromQueue[of].length > 0) steps.push({ do: 'take', channel: id, of });
      } else if (isAsking(channel, of)) {
        steps.push({ do: 'answer-nothing', channel: id });
      }
    }
  }
  for (const of of QUEUES) {
    if (model.queues[of]?.dyingFor !== undefined) steps.push({ do: 'finish-deletion', of });
  }
  if (model.untold.some(({ tellAt }) => tellAt <= model.now)) steps.push({ do: 'tell-deletion' });
  return steps;
}

export function takeBrokerStep(model: Model, step: BrokerStep): void {
  switch (step.do) {
    case 'read':
      readFrame(model, channelOf(model, step.channel));
      break;
    case 'apply':
      applyCommand(model, channelOf(model, step.channel), step.of);
      break;
    case 'take':
      takeEffect(channelOf(model, step.channel), step.of);
      break;
    case 'answer-nothing':
      answerNothing(channelOf(model, step.channel));
      break;
    case 'finish-deletion':
      finishDeletion(model, step.of);
      break;
    case 'tell-deletion':
      tellDeletion(model);
  }
}

/** Lets the broker do all that it can do without time passing. */
export function settle(model: Model): void {
  for (let [step] = brokerSteps(model); step !== undefined; [step] = brokerSteps(model)) {
    takeBrokerStep(model, step);
  }
}

/** Time passes at the broker: expiry and late news of a deletion depend on it. */
export function advance(model: Model, ms: number): void {
  model.now += ms;
}

export function channelOf(model: Model, id: number): Channel {
  const channel = model.channels.get(id);
  if (channel === undefined) throw new Error(`there is no channel ${id}`);
  return channel;
}
