import { REFRESH_MS } from '../../protocol/register/keeping.ts';
import { formatDuration } from '../duration.ts';
import type { Finding } from './finding.ts';

/** The shortest consumer timeouts in milliseconds; undefined where nothing tells. */
export interface ConsumerTimeouts {
  readonly locks: number | undefined;
  readonly registers: number | undefined;
}

const check = 'consumer-timeout';
const FIX =
  "rabbitmqctl eval 'application:set_env(rabbit, consumer_timeout, 1800000).'   # and consumer_timeout in rabbitmq.conf";
const HOW = 'rabbitmqctl environment | grep consumer_timeout';

/** The timeout runs for what a holder has in hand, and begins anew with each proof and with each refresh of the state. */
export function consumerTimeoutFindings(
  { locks, registers }: ConsumerTimeouts,
  verifyEveryMs: number,
): Finding[] {
  const findings = [
    ...judge(locks, verifyEveryMs, 'a holder is proven every'),
    ...judge(registers, REFRESH_MS, 'the state of a lock is refreshed every'),
  ];
  if (findings.length > 0) return findings;
  const says = `nobody is in line, or RabbitMQ is older than 4.0, so the API does not tell it. It must be over ${formatDuration(2 * verifyEveryMs)}, with state over ${formatDuration(2 * REFRESH_MS)}; 30m is the default`;
  return [{ check, level: 'note', says, fix: HOW }];
}

function judge(timeoutMs: number | undefined, everyMs: number, what: string): Finding[] {
  if (timeoutMs === undefined) return [];
  const known = `consumers time out after ${formatDuration(timeoutMs)}, and ${what} ${formatDuration(everyMs)}`;
  if (timeoutMs >= 2 * everyMs) return [{ check, level: 'ok', says: known }];
  const says = `${known}: under twice that, the broker takes locks from healthy holders`;
  return [{ check, level: 'problem', says, fix: FIX }];
}
