import { type BatonError, BrokerUnreachableError } from '../../../src/errors.ts';
import type { ContenderEvent } from '../../../src/protocol/contender/types.ts';
import { PROBE_TTL_MS } from '../../../src/protocol/vigil.ts';
import { type ClientFrame, openChannel, type ServerFrame } from '../model/index.ts';
import type { World } from '../world.ts';
import { dispatch } from './contender.ts';
import { needLine, write } from './lines.ts';
import { payloadOf, watchName } from './record.ts';
import type { Client, Request, Role } from './state.ts';

/** One object for all: an error takes longer to make than a step takes to run. */
export const LINE_LOST: BatonError = new BrokerUnreachableError('the connection was lost');
export const QUEUE_GONE: BatonError = new BrokerUnreachableError('the queue is not there');

type What = Request['what'];

/** Asks the broker; `caller` is undefined for the vigil. Shared calls are joined while one is under way. */
export function request(
  world: World,
  client: Client,
  what: What,
  caller: { contender: number; call: number } | undefined,
  shared = false,
): void {
  const running = shared ? client.requests.find((each) => each.shared && each.what === what) : undefined;
  if (running !== undefined && caller !== undefined) {
    const joined: Request = { ...running, callers: [...running.callers, caller] };
    client.requests[client.requests.indexOf(running)] = joined;
    return;
  }
  const started: Request = {
    what,
    shared,
    callers: caller === undefined ? [] : [caller],
    channel: undefined,
    payload: payloadOf(world, client, what),
  };
  client.requests.push(started);
  begin(world, client, started);
}

export const roleOf = (what: What): Role => (what === 'seed' || what === 'probe' ? 'publisher' : 'service');

/** Puts it on the wire, if there is a connection. */
export function begin(world: World, client: Client, asked: Request): void {
  const line = needLine(world, client, roleOf(asked.what));
  if (line.connection === undefined) return;
  asked.channel = openChannel(world.model, line.connection);
  write(world, line, asked.channel, frameOf(asked));
}

function frameOf({ what, payload }: Request): ClientFrame {
  switch (what) {
    case 'look':
    case 'declare':
      return { do: what };
    case 'remove':
      return { do: 'delete' };
    case 'seed':
    case 'probe':
      if (payload === undefined) throw new Error(`a ${what} without a message`);
      return { do: 'publish', ...payload, expirationMs: what === 'probe' ? PROBE_TTL_MS : undefined };
  }
}

/** The answer to a request has been read. */
export function answered(world: World, client: Client, asked: Request, frame: ServerFrame): void {
  client.requests = client.requests.filter((each) => each !== asked);
  if (asked.what === 'look' && frame.is === 'declare-ok') {
    watchName(world, client, { type: 'looked', ready: frame.ready });
  }
  tell(world, client, asked, (call) => eventOf(asked.what, call, frame));
}

/** The connection died under it. */
export function failed(world: World, client: Client, asked: Request): void {
  client.requests = client.requests.filter((each) => each !== asked);
  tell(world, client, asked, (call) => ({ type: 'call-failed', call, error: LINE_LOST }));
}

function tell(world: World, client: Client, asked: Request, event: (call: number) => ContenderEvent): void {
  for (const { contender: id, call } of asked.callers) {
    const contender = client.contenders.find((each) => each.id === id);
    if (contender !== undefined) dispatch(world, client, contender, event(call));
  }
}

function eventOf(what: What, call: number, frame: ServerFrame): ContenderEvent {
  switch (frame.is) {
    case 'declare-ok': {
      const depth = { ready: frame.ready, consumers: frame.consumers };
      return what === 'look' ? { type: 'looked', call, depth } : { type: 'declared', call, depth };
    }
    case 'delete-ok':
      return { type: 'removed', call };
    case 'confirm':
      return { type: 'seeded', call };
    case 'returned':
      return { type: 'call-failed', call, error: QUEUE_GONE };
    case 'closed':
      if (what === 'look' && frame.code === 404) return { type: 'looked', call, depth: 'absent' };
      return { type: 'call-failed', call, error: QUEUE_GONE };
    default:
      throw new Error(`${frame.is} is no answer to a ${what}`);
  }
}
