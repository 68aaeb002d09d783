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

/**
 * The timeout runs for what a holder has in hand; each proof and each refresh of the state restarts it. Not below a
 * lease: a holder that cannot hear would still believe (docs/design/lock-delay.md).
 */
export function consumerTimeoutFindings({ locks, registers }: ConsumerTimeouts, leaseMs: number): Finding[] {
  const findings = [
    ...judge(locks, leaseMs, 'a holder believes for a lease of'),
    ...judge(registers, 2 * REFRESH_MS, 'two refreshes of its state take'),
  ];
  if (findings.length > 0) return findings;
  const says = `nobody is in line, or RabbitMQ is older than 4.0, so the API does not tell it. It must be at least ${formatDuration(leaseMs)}, with state ${formatDuration(2 * REFRESH_MS)}; 30m is the default`;
  return [{ check, level: 'note', says, fix: HOW }];
}

function judge(timeoutMs: number | undefined, leastMs: number, what: string): Finding[] {
  if (timeoutMs === undefined) return [];
  const known = `consumers time out after ${formatDuration(timeoutMs)}, and ${what} ${formatDuration(leastMs)}`;
  if (timeoutMs >= leastMs) return [{ check, level: 'ok', says: known }];
  const says = `${known}: under that, the broker takes locks from their holders`;
  return [{ check, level: 'problem', says, fix: FIX }];
}
