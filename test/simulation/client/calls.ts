import { AccessRefusedError, type BatonError, BrokerUnreachableError } from '../../../src/errors.ts';
import type { RecordEvent } from '../../../src/protocol/name-record.ts';
import type { Entry } from '../../../src/protocol/register/entry.ts';
import type { StatefulEvent } from '../../../src/protocol/register/step.ts';
import { PROBE_TTL_MS } from '../../../src/protocol/token-watch.ts';
import { type ClientFrame, openChannel, type ServerFrame } from '../model/index.ts';
import type { World } from '../world.ts';
import { dispatch } from './contender.ts';
import { needLine, write } from './lines.ts';
import { hear, payloadOf, writeEntry } from './record.ts';
import type { Client, Contender, Request, Role } from './state.ts';

/** One object for all: an error takes longer to make than a step takes to run. */
export const LINE_LOST: BatonError = new BrokerUnreachableError('the connection was lost');
const REFUSED: BatonError = new AccessRefusedError('this user may not publish');
export const QUEUE_GONE: BatonError = new BrokerUnreachableError('the queue is not there');

type What = Request['what'];

/** Asks the broker; `caller` is undefined for the token watch. Shared calls are joined while one is under way. */
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
    wasInLine: client.record.wasInLine,
    callers: caller === undefined ? [] : [caller],
    channel: undefined,
    channelId: undefined,
    payload: payloadOf(world, client, what),
  };
  client.requests.push(started);
  begin(world, client, started);
}

/** Makes sure that there is a register, for the hold on that channel. */
export function declareRegister(world: World, client: Client, contender: number, channelId: number): void {
  register(world, client, 'declare-register', { contender, call: 0 }, channelId, undefined);
}

export function writeRegister(
  world: World,
  client: Client,
  { id, watched }: Contender,
  { channelId, fence, seq, state }: Omit<Entry, 'id'> & { channelId: number },
): void {
  const payload = writeEntry(world, { fence, seq }, state, watched.grantedHandOut);
  register(world, client, 'write-register', { contender: id, call: seq }, channelId, payload);
}

function register(
  world: World,
  client: Client,
  what: What,
  caller: Request['callers'][number],
  channelId: number,
  payload: Request['payload'],
): void {
  const asked: Request = { what, shared: false, callers: [caller], channel: undefined, channelId, payload };
  client.requests.push(asked);
  begin(world, client, asked);
}

const PUBLISHES: readonly What[] = ['seed', 'probe', 'write-register'];

export const roleOf = (what: What): Role => (PUBLISHES.includes(what) ? 'publisher' : 'service');

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
    case 'purge':
      return { do: 'purge' };
    case 'declare-register':
      return { do: 'declare', of: 'register' };
    case 'seed':
    case 'probe':
    case 'write-register': {
      if (payload === undefined) throw new Error(`a ${what} without a message`);
      const of = what === 'write-register' ? 'register' : 'lock';
      return { do: 'publish', of, ...payload, expirationMs: what === 'probe' ? PROBE_TTL_MS : undefined };
    }
  }
}

/** The answer to a request has been read. */
export function answered(world: World, client: Client, asked: Request, frame: ServerFrame): void {
  client.requests = client.requests.filter((each) => each !== asked);
  const heard = heardIn(asked, frame);
  if (heard !== undefined) hear(world, client, heard);
  tell(world, client, asked, (call) => eventOf(asked, call, frame));
}

/** What an answer tells the record of the name. */
function heardIn({ what, wasInLine = false }: Request, frame: ServerFrame): RecordEvent | undefined {
  if (what === 'look' && frame.is === 'closed' && frame.code === 404)
    return { type: 'looked', depth: 'absent', wasInLine };
  if (frame.is !== 'declare-ok') return undefined;
  const depth = { ready: frame.ready, consumers: frame.consumers };
  if (what === 'declare-register') return { type: 'register-known', known: true };
  return what === 'look' ? { type: 'looked', depth, wasInLine } : { type: 'declared', depth, wasInLine };
}

/** The connection died under it. */
export function failed(world: World, client: Client, asked: Request): void {
  client.requests = client.requests.filter((each) => each !== asked);
  tell(world, client, asked, (call) => failure(asked, call, LINE_LOST));
}

function tell(
  world: World,
  client: Client,
  asked: Request,
  event: (call: number) => StatefulEvent | undefined,
): void {
  for (const { contender: id, call } of asked.callers) {
    const contender = client.contenders.find((each) => each.id === id);
    const told = event(call);
    if (contender !== undefined && told !== undefined) dispatch(world, client, contender, told);
  }
}

function failure({ what, channelId = -1 }: Request, call: number, error: BatonError): StatefulEvent {
  if (what === 'declare-register') return { type: 'register-not-declared', channelId, error };
  if (what === 'write-register') return { type: 'register-not-written', channelId, seq: call, error };
  return { type: 'call-failed', call, error };
}

/** A confirm says nothing of an entry: it is there when the register hands it back. */
function eventOf(asked: Request, call: number, frame: ServerFrame): StatefulEvent | undefined {
  const { what, channelId = -1 } = asked;
  switch (frame.is) {
    case 'declare-ok': {
      const depth = { ready: frame.ready, consumers: frame.consumers };
      if (what === 'declare-register')
        return { type: 'register-declared', channelId, empty: frame.ready + frame.consumers === 0 };
      return what === 'look' ? { type: 'looked', call, depth } : { type: 'declared', call, depth };
    }
    case 'purge-ok':
      return { type: 'purged', call };
    case 'confirm':
      if (what === 'probe') return { type: 'probed', call };
      return what === 'seed' ? { type: 'seeded', call } : undefined;
    case 'returned':
      return failure(asked, call, QUEUE_GONE);
    case 'closed':
      if (what === 'look' && frame.code === 404) return { type: 'looked', call, depth: 'absent' };
      return failure(asked, call, frame.code === 403 ? REFUSED : QUEUE_GONE);
    default:
      throw new Error(`${frame.is} is no answer to a ${what}`);
  }
}
