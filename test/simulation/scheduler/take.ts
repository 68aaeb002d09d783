import { beat } from '../../../src/protocol/stall-detector.ts';
import { watchBroker } from '../checks/fences.ts';
import { checkToldAtAll, validMs } from '../checks/leases.ts';
import { forgetPlacesOn } from '../checks/order.ts';
import { Violation } from '../checks/state.ts';
import { checkReplacing } from '../checks/wire.ts';
import { answered } from '../client/calls.ts';
import { acquire, dispatch, isOver, nameOf, readOwn } from '../client/contender.ts';
import { dial, lineEnded } from '../client/lines.ts';
import { hear } from '../client/record.ts';
import { save } from '../client/register.ts';
import type { Client, Contender } from '../client/state.ts';
import { wake } from '../client/wake.ts';
import {
  dropLink,
  endConnection,
  receive,
  restoreLink,
  setAlarm,
  suspectNode,
  sweep,
  takeBrokerStep,
} from '../model/index.ts';
import { instantOf, say, type World } from '../world.ts';
import { dismissOutsiders, inflict, leave } from './faults.ts';
import type { Step } from './step.ts';
import { pass } from './time.ts';

/** Takes one step and looks at what came of it. Throws {@link Violation} when a rule is broken. */
export function take(world: World, step: Step): void {
  carryOut(world, step);
  // Nobody destroys a token, makes another one and is granted it within a millisecond.
  if (watchBroker(world).destroyed) pass(world, 1);
}

function carryOut(world: World, step: Step): void {
  const { model } = world;
  switch (step.do) {
    case 'receive':
      read(world, clientOf(world, step.client), step.channel);
      break;
    case 'wake':
      withContender(world, step, (client, contender) => wake(world, client, contender));
      break;
    case 'token-watch':
      hear(world, clientOf(world, step.client), { type: 'wake' });
      break;
    case 'dial': {
      const client = clientOf(world, step.client);
      client.pulse ??= beat(undefined, instantOf(world, client));
      dial(world, client, client.lines[step.role]);
      break;
    }
    case 'notice-end': {
      const client = clientOf(world, step.client);
      lineEnded(world, client, client.lines[step.role]);
      break;
    }
    case 'give-up-connection':
      say(world, () => `the broker gives connection ${step.connection} up`);
      world.orphans = world.orphans.filter(({ connection }) => connection !== step.connection);
      forgetPlacesOn(world, step.connection);
      endConnection(model, step.connection);
      break;
    case 'acquire':
    case 'try': {
      const client = clientOf(world, step.client);
      client.pulse ??= beat(undefined, instantOf(world, client));
      client.contenders = client.contenders.filter((each) => !isOver(each));
      acquire(world, client, step.do === 'try' ? 'try' : 'wait');
      break;
    }
    case 'release':
    case 'pass-on':
    case 'verify':
    case 'give-up':
      withContender(world, step, (client, contender) => {
        say(world, () => `${nameOf(client, contender)}: ${step.do}`);
        dispatch(world, client, contender, { type: step.do });
      });
      break;
    case 'save':
    case 'leave':
      withContender(world, step, (client, contender) => save(world, client, contender, step.do === 'leave'));
      break;
    case 'write':
      withContender(world, step, (client, contender) => writeToResource(world, client, contender));
      break;
    case 'shutdown': {
      const client = clientOf(world, step.client);
      say(world, () => `client ${step.client} shuts down`);
      for (const contender of client.contenders) dispatch(world, client, contender, { type: 'shutdown' });
      leave(world, client);
      break;
    }
    case 'fault':
      world.faults += 1;
      inflict(world, step.fault, step.target, step.variant);
      break;
    case 'resume': {
      const client = clientOf(world, step.client);
      client.pausedAt = undefined;
      client.suspended = false;
      client.resumedAt = model.now;
      // The timers run before the socket is read.
      client.pulse = beat(client.pulse, instantOf(world, client));
      say(world, () => `client ${step.client} runs again`);
      break;
    }
    case 'unstall': {
      const line = clientOf(world, step.client).lines[step.role ?? 'locks'];
      line.upStalledAt = undefined;
      line.downStalledAt = undefined;
      say(world, () => `the line of client ${step.client} (${line.role}) lets through again`);
      break;
    }
    case 'link-noticed':
      say(world, () => `the link of node ${step.node} is given up`);
      dropLink(model, step.node, { lose: false });
      world.linkSince[step.node] = model.now;
      break;
    case 'link-patience':
      suspectNode(model, step.node);
      break;
    case 'link-restore':
      say(world, () => `the link of node ${step.node} is there again`);
      restoreLink(model, step.node);
      world.linkSince[step.node] = undefined;
      break;
    case 'alarm-over':
      setAlarm(model, false);
      break;
    case 'advance':
      checkToldAtAll(world);
      checkReplacing(world);
      pass(world, step.ms);
      world.outsiders = dismissOutsiders(world);
      sweep(model, (channel) => isWatched(world, channel));
      break;
    default:
      takeBrokerStep(model, step);
  }
}

function read(world: World, client: Client, channel: number): void {
  const frame = receive(world.model, channel);
  if (frame === undefined) return;
  const asked = client.requests.find((each) => each.channel === channel);
  if (asked !== undefined) {
    world.model.channels.delete(channel);
    answered(world, client, asked, frame);
    return;
  }
  for (const contender of client.contenders) {
    const own = contender.channels.find((each) => each.channel === channel);
    if (own === undefined) continue;
    readOwn(world, client, contender, own, frame);
    return;
  }
}

/** A resource that refuses lower fences. Who holds the lock, alone by every rule, is never refused. */
function writeToResource(world: World, client: Client, contender: Contender): void {
  const { fence, excuse } = contender.watched;
  if (fence === undefined || validMs(world, client, contender) === 0) return;
  if (fence >= world.checks.accepted) {
    world.checks.accepted = fence;
    return;
  }
  if (excuse !== undefined || Object.keys(world.checks.exceptions).length > 0) return;
  throw new Violation('the fenced resource', `${nameOf(client, contender)} holds the lock and is refused`);
}

function withContender(
  world: World,
  { client: id, contender: number }: { client: number; contender: number },
  work: (client: Client, contender: Contender) => void,
): void {
  const client = clientOf(world, id);
  const contender = client.contenders.find((each) => each.id === number);
  if (contender !== undefined) work(client, contender);
}

function isWatched(world: World, channel: number): boolean {
  return world.clients.some(
    ({ requests, contenders }) =>
      requests.some((each) => each.channel === channel) ||
      contenders.some(({ channels }) => channels.some((own) => own.channel === channel)),
  );
}

function clientOf(world: World, id: number): Client {
  const client = world.clients[id];
  if (client === undefined) throw new Error(`there is no client ${id}`);
  return client;
}
