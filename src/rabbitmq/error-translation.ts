import {
  AccessRefusedError,
  BatonError,
  BrokerUnreachableError,
  InvalidOptionsError,
  QueueMismatchError,
  ResourceLimitError,
  UnsupportedBrokerError,
} from '../errors.ts';
import { type BrokerAddress, labelOf, withoutPassword } from './address.ts';
import { UndecodableError } from './amqplib.ts';

/** The broker returned a mandatory publish: there is no such queue. Declare it and try again. */
export class QueueGoneError extends BatonError {
  readonly code = 'broker-unreachable';
  readonly retryable = true;
}

/** What was asked of the broker on a channel. */
export type Action = 'look' | 'declare' | 'purge' | 'remove' | 'consume' | 'publish';

/** An error of amqplib or Node, as far as it is of use. */
interface Raw {
  readonly message: string;
  /** AMQP reply code, or Node's error code. */
  readonly code: number | string | undefined;
  /** What the broker said, without amqplib's words around it. */
  readonly said: string;
  readonly classId: number | undefined;
}

const WORDS: Record<Action, string> = {
  look: 'look at',
  declare: 'declare',
  purge: 'purge',
  remove: 'delete',
  consume: 'consume from',
  publish: 'publish to',
};
/** What amqplib says of a peer that does not speak its protocol. */
const NO_BROKER = /^Expected |nvalid frame|^Frame /;
/** 4.3.6 resets the connection below it; 3.10.8 below 4096. */
const MIN_FRAME_4 = 8_192;
const REFUSED_OPEN = /^Handshake terminated by server: 530|got <ConnectionClose /;
/** 3.10.8 and 4.0.5 put the number in brackets; from 4.0 on there is a limit for each node, too. */
const LIMIT_OF_CHANNELS =
  /^NOT_ALLOWED - number of channels opened (?:for user|on node) .* maximum allowed (?:user )?limit of \(?(\d+)\)?$/;

/** Why a dial failed, as a sentence that says what to do. Never names a password. */
export function dialFault(error: unknown, address: BrokerAddress): BatonError {
  if (error instanceof BatonError) return error;
  const raw = readRaw(error, address);
  const peer = labelOf(address);
  const cause = safeCause(raw);
  const unreachable = (sentence: string) => new BrokerUnreachableError(sentence, { cause });
  if (isRefusedLogin(error)) {
    const login = `The broker at ${peer} refused the login of user '${address.user}'`;
    return new AccessRefusedError(`${login}; check name, password and mechanism: ${raw.said}`, { cause });
  }
  // RabbitMQ answers connection.open with 530 when the virtual host is missing, closed to the user or full, and
  // amqplib 2.3.1 drops the text (seen): it only says that connection.open-ok did not come.
  if (REFUSED_OPEN.test(raw.message)) {
    const vhost = `The broker at ${peer} refused virtual host '${address.vhost}' to user '${address.user}'`;
    const advice = 'create it, give the user permissions on it, or raise its connection limit';
    return new AccessRefusedError(`${vhost}; ${advice} (the broker's log says which)`, { cause });
  }
  if (raw.message.startsWith('Handshake terminated')) {
    return unreachable(`The broker at ${peer} ended the handshake: ${raw.said}`);
  }
  if (raw.code === 'ECONNREFUSED') {
    return unreachable(`Nothing listens at ${peer}; check host and port, and that the broker runs`);
  }
  if (raw.code === 'ENOTFOUND' || raw.code === 'EAI_AGAIN') {
    return unreachable(`The host name of ${peer} cannot be resolved (${raw.code}); check it and DNS`);
  }
  if (isTls(raw)) {
    const advice = 'check the port, ca, cert, key and servername in socketOptions';
    return unreachable(`TLS with ${peer} failed; ${advice}: ${opensslReason(raw.message)}`);
  }
  if (typeof raw.code === 'string' && /^ERR_(INVALID_ARG|OSSL|OUT_OF_RANGE)/.test(raw.code)) {
    // No cause: Node quotes the values that it refuses, and a passphrase may be among them.
    return new InvalidOptionsError([`connect: socketOptions were refused by Node.js (${raw.code})`]);
  }
  if (NO_BROKER.test(raw.message) || /closed abruptly|ECONNRESET/.test(`${raw.message} ${raw.code}`)) {
    const { frameMax } = address.tuning;
    if (frameMax !== undefined && frameMax < MIN_FRAME_4) {
      const least = `frameMax ${frameMax} of the URL may be too small for it; RabbitMQ 4 wants at least ${MIN_FRAME_4}`;
      return unreachable(`${peer} broke off the AMQP handshake; ${least}: ${raw.message}`);
    }
    const advice = 'check that it is an AMQP 0-9-1 port, and amqps:// against amqp://';
    return unreachable(`${peer} broke off the AMQP handshake; ${advice}: ${raw.message}`);
  }
  return unreachable(`The broker at ${peer} cannot be reached: ${raw.message}`);
}

/** Whether a dial failed because of name or password. */
export const isRefusedLogin = (error: unknown): boolean =>
  /^Handshake terminated by server: 403|^SASL mechanism/.test(readRaw(error).message);

/**
 * Whether a dial that failed so can succeed without anybody changing anything: the broker may be starting, or its name
 * not be known yet. A certificate that is refused stays so, and what speaks another protocol is no broker.
 */
export function mayPass(error: unknown): boolean {
  if (!(error instanceof BatonError) || !error.retryable) return false;
  if (error.cause instanceof BatonError) return mayPass(error.cause);
  const raw = readRaw(error.cause);
  if (raw.code === 'ECONNRESET') return true;
  return !isTls(raw) && !NO_BROKER.test(raw.message);
}

/**
 * Why one more connection was refused while others of the same session are open: then the virtual host is there, and the
 * user is let in, and what is left are the limits of connections, of the user or of the virtual host.
 */
export function anotherConnectionFault(error: BatonError): BatonError {
  if (!REFUSED_OPEN.test(readRaw(error.cause).message)) return error;
  const sentence =
    'One connection more than those that are open was refused. batonmq needs three, and more when channels run out; raise max-connections of the user (rabbitmqctl set_user_limits) or of the virtual host (rabbitmqctl set_vhost_limits)';
  return new ResourceLimitError(`${sentence}: ${error.message}`, { cause: error });
}

/** Why an open connection ended. */
export function lineFault(error: unknown, address: BrokerAddress): BatonError {
  if (error instanceof BatonError) return error;
  const raw = readRaw(error, address);
  const lost = `The connection to the broker at ${labelOf(address)} was lost`;
  // Unredacted: a password that is a word of the broker's would hide it.
  const [, most] = LIMIT_OF_CHANNELS.exec(readRaw(error).said) ?? [];
  if (most !== undefined) {
    const advice =
      'raise max-channels of the user (rabbitmqctl set_user_limits), or use fewer locks at a time';
    const sentence = `${lost}, because one channel more than the limit of ${most} was opened; ${advice}`;
    const cause = Object.assign(safeCause(raw), { channelLimit: Number(most) });
    return new ResourceLimitError(`${sentence}: ${raw.said}`, { cause });
  }
  if (raw.code === 540 || (raw.code === 541 && /feature flag/.test(raw.said))) return unsupported(raw);
  // 320 "CONNECTION_FORCED - credential expired" (4.3.6; 3.10.8 and 4.0.5 refuse what is new and go on).
  const why = /credential expired/.test(raw.said)
    ? 'its credentials expired; have urls be a function that returns new ones, and they are renewed before'
    : raw.said;
  return new BrokerUnreachableError(`${lost}: ${why}`, { cause: safeCause(raw) });
}

/** Why a call on a channel failed that the broker closed in answer to it, or refused. */
export function channelFault(error: unknown, action: Action, queue: string): BatonError {
  if (error instanceof BatonError) return error;
  const raw = readRaw(error);
  const cause = safeCause(raw);
  if (error instanceof UndecodableError) {
    const what = `The message at the head of queue ${JSON.stringify(queue)} cannot be read (${raw.message}), and is none of batonmq`;
    return new QueueMismatchError(
      `${what}; delete the queue (baton break, with --state if it is that of state)`,
      {
        cause,
      },
    );
  }
  if (raw.code === 403) {
    const sentence = `Not allowed to ${WORDS[action]} ${JSON.stringify(queue)}; ${needs(action)}: ${raw.said}`;
    return new AccessRefusedError(sentence, { cause });
  }
  if (raw.code === 540) return unsupported(raw);
  if (raw.code === 405) {
    const sentence = `Queue ${JSON.stringify(queue)} is an exclusive queue of another connection and no lock`;
    return new QueueMismatchError(`${sentence}; end that program, or use another namespace: ${raw.said}`, {
      cause,
    });
  }
  // A 406 in the middle of consuming is another thing: the consumer timeout up to RabbitMQ 4.2, or a stale tag.
  if (raw.code === 406 && action === 'declare') return undeclarable(raw, queue);
  if (isAbsence(error)) return new BrokerUnreachableError(`${raw.said}; declare it and try again`, { cause });
  return new BrokerUnreachableError(
    `The broker ended the attempt to ${WORDS[action]} ${JSON.stringify(queue)}: ${raw.said}`,
    {
      cause,
    },
  );
}

/** A 406 to a declare. The broker says everything in its text, in which the name of the queue is not its own words. */
function undeclarable(raw: Raw, queue: string): BatonError {
  const named = JSON.stringify(queue);
  const cause = safeCause(raw);
  const said = raw.said.replaceAll(queue, '');
  if (/^PRECONDITION_FAILED - inequivalent arg 'x-expires'/.test(said)) {
    const sentence = `Queue ${named} was made with another idleExpiryMs; give every client the same value, or delete it`;
    return new QueueMismatchError(`${sentence}: ${raw.said}`, { cause });
  }
  if (said.startsWith('PRECONDITION_FAILED - inequivalent ')) {
    const sentence = `Queue ${named} exists and is not a lock of this version of batonmq; use another namespace, or delete it`;
    return new QueueMismatchError(`${sentence}: ${raw.said}`, { cause });
  }
  // The same text on 3.10.8, 4.0.5 and 4.3.6; the limit of the whole cluster is there from 4.0 on.
  if (/queue limit in .* is reached$/.test(said)) {
    const advice =
      'raise max-queues (rabbitmqctl set_vhost_limits), use fewer names, slots or an idleExpiryMs';
    return new ResourceLimitError(`No room for queue ${named}; ${advice}: ${raw.said}`, { cause });
  }
  if (isWithoutQuorum(said)) return unsupported(raw);
  const sentence = `The broker makes no queue with the arguments of a lock (${named})`;
  return new UnsupportedBrokerError(`${sentence}: ${raw.said}`, { cause });
}

/** The action that a channel error on a contender's channel answers: its consume, or the barrier's look. */
export const contenderAction = (error: unknown): Action =>
  readRaw(error).classId === 50 ? 'look' : 'consume';

/** The limit of channels that ended a connection. */
export function channelLimitOf(error: BatonError | undefined): number | undefined {
  const { channelLimit } = (error?.cause ?? {}) as { channelLimit?: unknown };
  return typeof channelLimit === 'number' ? channelLimit : undefined;
}

/** Whether a connection can have ended in answer to a consume from a queue that does not run, or to a failed declaration. */
export const isInternalError = (error: BatonError | undefined): boolean => readRaw(error?.cause).code === 541;

/** True for 404 because there is no such queue; a queue whose node is down is a 404 too, and not absent. */
export function isAbsence(error: unknown): boolean {
  const { code, said } = readRaw(error);
  return code === 404 && said.includes('no queue ');
}

const unsupported = (raw: Raw) =>
  new UnsupportedBrokerError(`This broker offers no quorum queues, which every lock is: ${raw.said}`, {
    cause: safeCause(raw),
  });

const isWithoutQuorum = (said: string): boolean =>
  /disabled|not enabled|unsupported queue type|not supported|feature flag/i.test(said);

/** OpenSSL tells its reason between addresses, functions and source files, and ends the line. */
function opensslReason(message: string): string {
  const [, reason] = /error:[0-9A-F]+:[^:]*:[^:]*:([^:]*)/i.exec(message) ?? [];
  return reason ?? message.trim();
}

function isTls({ code, message }: Raw): boolean {
  return (
    (typeof code === 'string' && /^ERR_(TLS|SSL)|CERT|^EPROTO$|UNABLE_TO_|SIGNATURE/.test(code)) ||
    /secure TLS connection/.test(message)
  );
}

/**
 * RabbitMQ 4.0.5 names the missing permission, 3.10.8 does not, so it is told from the call. A look needs none below
 * 4.3, and any one of the three on 4.3.6 (whose refusal says "configure").
 */
function needs(action: Action): string {
  if (action === 'publish') return 'the user needs write permission on the exchange amq.default';
  if (action === 'consume' || action === 'purge') return 'the user needs read permission on it';
  if (action === 'look') return 'the user needs read permission on it (or configure, or write)';
  return 'the user needs configure permission on it';
}

function readRaw(error: unknown, address?: BrokerAddress): Raw {
  const fields = (typeof error === 'object' && error !== null ? error : {}) as Record<string, unknown>;
  const code = typeof fields.code === 'number' || typeof fields.code === 'string' ? fields.code : undefined;
  // Node's AggregateError over several addresses of a host has an empty message and the code of the first.
  const text = error instanceof Error ? error.message || String(code ?? error.name) : String(error);
  const message = withoutPassword(text, address);
  return {
    message,
    code,
    said: /with message "(.*)"$/s.exec(message)?.[1] ?? message,
    classId: typeof fields.classId === 'number' ? fields.classId : undefined,
  };
}

/** A copy that holds nothing but text and code: the original may drag sockets, certificates and options along. */
function safeCause({ message, code }: Raw): Error {
  const cause = new Error(message);
  return code === undefined ? cause : Object.assign(cause, { code });
}
