import {
  type ClientEffect,
  type ClientEvent,
  clientStep,
  isShared,
  TRY_ANSWER_MS,
} from '../../../src/protocol/client-step.ts';
import type { Effect, Rules } from '../../../src/protocol/contender/types.ts';
import { STATEFUL_IDLE } from '../../../src/protocol/register/step.ts';
import { ranLately, type StallDetector } from '../../../src/protocol/stall-detector.ts';
import { onAsk, onDelay, onGrant, onLost, onPassOn, onProof, onRead } from '../checks/leases.ts';
import { onHanded } from '../checks/register.ts';
import {
  checkAbsorbs,
  checkAck,
  checkBarrier,
  checkDeclare,
  checkGivenUp,
  checkPurge,
  noted,
} from '../checks/wire.ts';
import { LOCK, TIMES, VERSION_NUMBERS } from '../config.ts';
import { nackedOf, openChannel, type ServerFrame } from '../model/index.ts';
import { instantOf, say, type World } from '../world.ts';
import { LINE_LOST, QUEUE_GONE, request } from './calls.ts';
import { needLine, write } from './lines.ts';
import { take } from './record.ts';
import { limit, onRegister, readRegister } from './register.ts';
import type { Client, Contender, OwnChannel } from './state.ts';
import { newWatched } from './watched.ts';

/** One `acquire` call: src/acquire/lock.ts and src/acquire/contender.ts without their promises. */
export function acquire(world: World, client: Client, mode: Rules['mode']): void {
  const { leaseMs, verifyEveryMs } = TIMES;
  client.acquires += 1;
  const contender: Contender = {
    id: client.acquires,
    rules: {
      name: LOCK,
      mode,
      grant: world.config.grant,
      leaseMs,
      verifyEveryMs,
      carriesState: world.config.state === true,
    },
    state: STATEFUL_IDLE.contender,
    register: undefined,
    queued: undefined,
    saves: 0,
    leavesWith: undefined,
    channels: [],
    granted: false,
    refused: false,
    answerBy: mode === 'try' ? instantOf(world, client).mono + TRY_ANSWER_MS : undefined,
    watched: newWatched(),
  };
  client.contenders.push(contender);
  dispatch(world, client, contender, { type: 'start' });
}

/** Feeds one event to the protocol and carries out what it wants, as src/acquire/contender.ts does. */
export function dispatch(world: World, client: Client, contender: Contender, event: ClientEvent): void {
  if (contender.queued !== undefined) {
    contender.queued.push(event);
    return;
  }
  const queued = [event];
  contender.queued = queued;
  for (let next = queued.shift(); next !== undefined; next = queued.shift())
    feed(world, client, contender, next);
  contender.queued = undefined;
}

function feed(world: World, client: Client, contender: Contender, event: ClientEvent): void {
  const now = instantOf(world, client);
  const inputs = {
    now,
    ranLately: ranLately(client.pulse as StallDetector | undefined, now),
    brokerMajor: VERSION_NUMBERS[world.config.version][0],
    healAfterMs: TIMES.healAfterMs,
    jitter: world.jitter,
  };
  const before = contender.state;
  const attempt = { contender: before, register: contender.register };
  const next = clientStep({ attempt, record: client.record }, event, inputs, contender.rules);
  const { effects } = next;
  const { contender: state, register } = next.attempt;
  contender.register = register;
  checkAbsorbs(before, event, effects);
  if (state !== before) contender.watched.book = noted(world, contender.watched.book, event, before);
  contender.state = state;
  if (state.at !== 'replacing') contender.watched.replacingSince = undefined;
  else if (before.at !== 'replacing' || before.owedUntil !== state.owedUntil)
    contender.watched.replacingSince = now.mono;
  const isGrantOfDelivery =
    (before.at === 'waiting' || before.at === 'replacing') &&
    (state.at === 'granting' || state.at === 'delaying' || state.at === 'held');
  if (isGrantOfDelivery) contender.watched.grantedHandOut = contender.watched.handOut;
  take(world, client, next.record, next.errands);
  if (event.type === 'pass-on') onPassOn(world, client, contender);
  if (state.at === 'delaying' && before.at !== 'delaying') onDelay(world, client, contender);
  for (const effect of effects) carryOut(world, client, contender, effect);
}

function carryOut(world: World, client: Client, contender: Contender, effect: ClientEffect): void {
  switch (effect.do) {
    case 'look':
    case 'declare':
    case 'seed':
    case 'probe':
    case 'purge': {
      if (effect.do === 'declare') checkDeclare(world, contender);
      if (effect.do === 'purge') {
        checkPurge(world, contender);
        if (contender.state.at === 'replacing' && contender.state.rejoins)
          contender.watched.place = undefined;
      }
      const { state, register } = contender;
      const shared = isShared(effect.do, { contender: state, register });
      request(world, client, effect.do, { contender: contender.id, call: effect.call }, shared);
      break;
    }
    case 'consume': {
      contender.watched.excuse = undefined;
      contender.watched.unseatedAt = undefined;
      contender.watched.forgotten = false;
      contender.watched.foreignMessages = 0;
      contender.watched.staleTag = undefined;
      const own: OwnChannel = {
        channelId: effect.channelId,
        channel: undefined,
        state: 'waiting',
        barrier: false,
      };
      contender.channels.push(own);
      attachChannel(world, client, own);
      break;
    }
    case 'barrier':
    case 'requeue':
    case 'reject':
    case 'ack':
    case 'close':
      useChannel(world, client, contender, effect);
      break;
    case 'grant':
      onGrant(world, client, contender, effect.fence);
      if (effect.handed !== undefined) onHanded(world, client, contender, effect.handed);
      break;
    case 'refuse':
      contender.refused = true;
      say(world, () => `${nameOf(client, contender)} is told: ${effect.refusal.why}`);
      break;
    case 'proven':
      onProof(world, client, contender);
      break;
    case 'lost':
      onLost(world, client, contender, effect.reason);
      dispatch(world, client, contender, { type: 'release' });
      break;
    case 'end':
      break;
    default:
      onRegister(world, client, contender, effect);
  }
}

function useChannel(
  world: World,
  client: Client,
  contender: Contender,
  effect: Extract<Effect, { channelId: number }>,
): void {
  const own = contender.channels.find(({ channelId }) => channelId === effect.channelId);
  if (own === undefined) return;
  const line = client.lines.locks;
  switch (effect.do) {
    case 'barrier':
      checkBarrier(contender);
      if (own.state === 'waiting') own.barrier = true;
      else if (own.state === 'open') write(world, line, channelOf(own), { do: 'look' });
      break;
    case 'requeue':
    case 'reject':
      if (effect.deliveryTag === contender.watched.deliveryTag) onAsk(world, client, contender);
      if (own.state !== 'open') break;
      write(world, line, channelOf(own), { do: effect.do, deliveryTag: effect.deliveryTag });
      break;
    case 'ack':
      checkAck(world, contender, effect.deliveryTag);
      if (effect.deliveryTag === contender.watched.staleTag) contender.watched.staleTag = undefined;
      if (own.state !== 'open') break;
      write(world, line, channelOf(own), { do: 'ack', deliveryTag: effect.deliveryTag });
      break;
    case 'close':
      if (own.state === 'open') {
        checkGivenUp(contender);
        own.state = 'closing';
        write(world, line, channelOf(own), { do: 'close' });
      } else if (own.state === 'waiting') {
        ended(world, client, contender, own, { scope: 'channel' });
      }
  }
}

/** Opens a channel for a contender and consumes, if there is a connection. */
export function attachChannel(world: World, client: Client, own: OwnChannel): void {
  const line = needLine(world, client, 'locks');
  if (line.connection === undefined) return;
  own.channel = openChannel(world.model, line.connection);
  own.state = 'open';
  write(world, line, own.channel, { do: 'consume' });
  if (own.barrier) write(world, line, own.channel, { do: 'look' });
}

export const channelOf = (own: OwnChannel): number => own.channel ?? -1;

/** A frame on a contender's channel has been read (src/rabbitmq/contender-channel.ts). */
export function readOwn(
  world: World,
  client: Client,
  contender: Contender,
  own: OwnChannel,
  frame: ServerFrame,
): void {
  const { channelId } = own;
  if (frame.is === 'close-ok' || frame.is === 'cancel-ok')
    ended(world, client, contender, own, { scope: 'channel' });
  else if (frame.is === 'closed') {
    ended(world, client, contender, own, { scope: 'channel', error: QUEUE_GONE, absent: frame.code === 404 });
  }
  if (own.state !== 'open') return;
  if ('of' in frame && frame.of === 'register') {
    readRegister(world, client, contender, channelId, frame);
    return;
  }
  switch (frame.is) {
    case 'consume-ok': {
      limit(world, client, contender, channelId);
      const traits = { version: VERSION_NUMBERS[world.config.version] };
      dispatch(world, client, contender, { type: 'consuming', channelId, traits });
      break;
    }
    case 'deliver': {
      const { deliveryTag, message, handOut } = frame;
      contender.watched.deliveryTag = deliveryTag;
      onRead(world, client, contender, message, handOut);
      const { body, returns } = message;
      const nacked = nackedOf(world.config.version, message);
      const delivery = { deliveryTag, body, returns, nacked };
      dispatch(world, client, contender, { type: 'delivered', channelId, delivery });
      break;
    }
    case 'declare-ok':
      dispatch(world, client, contender, { type: 'barrier', channelId });
      break;
    case 'cancel':
      dispatch(world, client, contender, { type: 'cancelled', channelId });
  }
}

type End = { scope: 'channel' | 'connection'; error?: typeof LINE_LOST; absent?: boolean };

/** The channel is gone, for whatever reason. */
export function ended(world: World, client: Client, contender: Contender, own: OwnChannel, end: End): void {
  contender.channels = contender.channels.filter((each) => each !== own);
  const isOwnWish = end.scope === 'channel' && end.error === undefined;
  if (!isOwnWish) contender.watched.place = undefined;
  const error = end.scope === 'connection' ? LINE_LOST : end.error;
  const { scope, absent } = end;
  dispatch(world, client, contender, { type: 'closed', channelId: own.channelId, scope, error, absent });
}

export const isOver = ({ state }: Contender): boolean => state.at === 'released' || state.at === 'lost';

export const nameOf = (client: Client, contender: Contender): string => `client ${client.id}.${contender.id}`;
