import { type ClientEffect, REGISTER_PREFETCH } from '../../../src/protocol/client-step.ts';
import { checkCancelled, onKept, onSaved } from '../checks/register.ts';
import { nackedOf, type ServerFrame } from '../model/index.ts';
import { say, type World } from '../world.ts';
import { declareRegister, writeRegister } from './calls.ts';
import { channelOf, dispatch, nameOf } from './contender.ts';
import { write } from './lines.ts';
import type { Client, Contender } from './state.ts';

type RegisterEffect = Extract<ClientEffect, { do: `register-${string}` | 'saved' | 'save-failed' }>;

/** Carries out what the protocol wants of the register. */
export function onRegister(world: World, client: Client, contender: Contender, effect: RegisterEffect): void {
  switch (effect.do) {
    case 'register-declare':
      declareRegister(world, client, contender.id, effect.channelId);
      break;
    case 'register-consume': {
      const own = contender.channels.find(({ channelId }) => channelId === effect.channelId);
      if (own?.state !== 'open') break;
      const { prefetch = REGISTER_PREFETCH } = world.config;
      const channel = channelOf(own);
      if (isForgetful(world)) write(world, client.lines.locks, channel, { do: 'unlimit' });
      write(world, client.lines.locks, channel, { do: 'consume', of: 'register', prefetch });
      break;
    }
    case 'register-write':
      writeRegister(world, client, contender, effect);
      break;
    case 'saved':
      onSaved(world, client, contender, effect.ticket);
      leave(world, client, contender, effect.ticket);
      break;
    case 'save-failed':
      say(world, () => `${nameOf(client, contender)} is told that save ${effect.ticket} failed`);
      leave(world, client, contender, effect.ticket);
  }
}

/** A release with state goes on when its save has been answered, however. */
function leave(world: World, client: Client, contender: Contender, ticket: number): void {
  if (contender.leavesWith === ticket) dispatch(world, client, contender, { type: 'release' });
}

/** The holder saves something, and releases with it if it `leaves`. */
export function save(world: World, client: Client, contender: Contender, leaves: boolean): void {
  const { length: ticket } = world.saves;
  say(world, () => `${nameOf(client, contender)} saves ${ticket}${leaves ? ', and wants to release' : ''}`);
  contender.saves += 1;
  if (leaves) contender.leavesWith = ticket;
  dispatch(world, client, contender, { type: 'save', state: ticket, ticket });
}

/** A frame of the register has been read. */
export function readRegister(
  world: World,
  client: Client,
  contender: Contender,
  channelId: number,
  frame: ServerFrame,
): void {
  if (frame.is === 'consume-ok') limit(world, client, contender, channelId);
  if (frame.is === 'cancel') {
    contender.watched.place = undefined; // who reads begins again
    dispatch(world, client, contender, { type: 'register-cancelled', channelId });
    checkCancelled(client, contender);
  }
  if (frame.is !== 'deliver') return;
  const { deliveryTag, message } = frame;
  const { body, returns } = message;
  const delivery = { deliveryTag, body, returns, nacked: nackedOf(world.config.version, message) };
  dispatch(world, client, contender, { type: 'register-delivered', channelId, delivery });
  onKept(world, contender);
}

const isForgetful = ({ config }: World): boolean => config.version === '3.10';

/** Right behind a consume, as in src/rabbitmq/contender-channel.ts. */
export function limit(world: World, client: Client, { channels }: Contender, channelId: number): void {
  const own = channels.find((each) => each.channelId === channelId);
  if (own?.state === 'open' && isForgetful(world))
    write(world, client.lines.locks, channelOf(own), { do: 'limit' });
}
