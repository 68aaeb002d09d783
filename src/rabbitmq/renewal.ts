import { setTimeout as delay } from 'node:timers/promises';
import { MAX_TIMER_MS } from '../clock.ts';
import { type BatonError, BrokerUnreachableError, isBatonError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { type BrokerAddress, claimsOf, labelOf } from './address.ts';
import type { Connection } from './connection.ts';
import { backoffMs } from './timing.ts';

/** How long the broker may take to answer a new secret. */
const ANSWER_MS = 10_000;
const SHORTEST_REST_MS = 1_000;
/** Of a credential that the broker takes and our clock says is over. */
const REST_OF_EXPIRED_MS = 5_000;
/** What returns tokens may have a cache, and go on with the old one until shortly before its end. */
const LATE_MS = 30_000;

/** Gives the credentials that a connection shall have from now on. May reject, and must do so or answer by `timeoutMs`. */
export type AskCredentials = (
  held: BrokerAddress,
  signal: AbortSignal,
  timeoutMs: number,
) => Promise<BrokerAddress>;

/**
 * Gives an open connection new credentials before its own expire: the broker would end it then, with every lease on it. Each
 * time two thirds of what is left have passed; after a failure with back-off, until the end. Resolves with the connection's end.
 */
export async function keepRenewed(
  connection: Connection,
  ask: AskCredentials,
  logger: Logger,
): Promise<void> {
  const { over } = connection;
  let held = connection.address;
  let failures = 0;
  while (held.expiresAt !== undefined) {
    const rest = failures > 0 ? backoffMs(failures) : restMs(held.expiresAt - Date.now());
    await delay(rest, undefined, { signal: over, ref: false }).catch(() => {});
    if (over.aborted) return;
    try {
      // A host that hangs may not use up the time that another try needs.
      const timeoutMs = Math.max(SHORTEST_REST_MS, (held.expiresAt - Date.now()) / 2);
      const next = await ask(held, over, timeoutMs);
      if (!isLater(next, held)) {
        // The next time will do, unless there is none.
        if (held.expiresAt - Date.now() > LATE_MS) continue;
        throw new BrokerUnreachableError(
          'the credentials that were returned expire no later than the old ones',
        );
      }
      if (next.password !== held.password) {
        assertSameUser(next, held);
        await connection.updateSecret(next.password, ANSWER_MS);
      }
      held = next;
      failures = 0;
      logger.info(
        { broker: labelOf(held), expiresAt: held.expiresAt },
        'credentials of a connection renewed',
      );
    } catch (error) {
      if (over.aborted) return;
      const why = notRenewed(error, held);
      logger.warn({ err: why }, 'cannot renew the credentials of a connection; trying again');
      if (failures === 0) connection.tellUnrenewed(why);
      failures += 1;
    }
  }
}

/** Exported for its test. A fleet that was started at once is spread out a little. */
export function restMs(leftMs: number, random: () => number = Math.random): number {
  if (leftMs <= 0) return REST_OF_EXPIRED_MS;
  return Math.min(MAX_TIMER_MS, Math.max(SHORTEST_REST_MS, leftMs * (2 / 3) * (0.9 + random() / 10)));
}

function isLater(next: BrokerAddress, held: BrokerAddress): boolean {
  return next.expiresAt === undefined
    ? next.password !== held.password
    : next.expiresAt > (held.expiresAt ?? Number.POSITIVE_INFINITY);
}

/** RabbitMQ ends the connection at once when a new token is of somebody else (4.0.5, 4.3.6). */
function assertSameUser(next: BrokerAddress, held: BrokerAddress): void {
  if (next.user === held.user && claimsOf(next.password).sub === claimsOf(held.password).sub) return;
  throw new BrokerUnreachableError('the credentials that were returned are those of another user');
}

function notRenewed(error: unknown, held: BrokerAddress): BatonError {
  const end = new Date(held.expiresAt ?? 0);
  const until = Number.isNaN(end.getTime()) ? 'their end' : end.toISOString();
  const sentence = `The credentials of the connection to ${labelOf(held)} are good until ${until} and could not be renewed`;
  const why = isBatonError(error) ? `: ${error.message}` : '; see the cause';
  return new BrokerUnreachableError(`${sentence}${why}`, { cause: error });
}
