import { lockQueueArguments } from '../../protocol/queues.ts';
import { quote } from '../quote.ts';
import type { Finding, Level } from './finding.ts';

/** As the management API shows it. */
export interface Policy {
  readonly vhost: string;
  readonly name: string;
  readonly pattern: string;
  readonly priority: number;
  readonly applyTo: string;
  readonly definition: Readonly<Record<string, unknown>>;
  readonly operator: boolean;
}

const DELIVERY_LIMIT = Number(lockQueueArguments()['x-delivery-limit']);

interface Danger {
  readonly level: Level;
  readonly does: string;
  /** Not every value does harm. */
  readonly harms?: (value: unknown, leastMs: number) => boolean;
}

const DANGERS: Readonly<Record<string, Danger>> = {
  'message-ttl': { level: 'problem', does: 'destroys the token of a lock that is free for that long' },
  expires: { level: 'problem', does: 'deletes a lock that nobody uses for that long' },
  'max-length': { level: 'problem', does: 'destroys the token when anything else comes into its queue' },
  'max-length-bytes': {
    level: 'problem',
    does: 'destroys the token when anything else comes into its queue',
  },
  'delivery-limit': {
    level: 'problem',
    does: 'destroys the token after that many returns (a policy wins over the queue’s own argument)',
    harms: (value) => !(typeof value === 'number' && value >= DELIVERY_LIMIT),
  },
  'delayed-retry-type': {
    level: 'problem',
    does: 'hides the token after each return, so no hold outlasts its first lease',
    harms: (value) => value !== 'disabled',
  },
  'consumer-timeout': {
    level: 'problem',
    does: 'takes the lock from a holder before its lease is over, or between two refreshes of its state',
    harms: (value, leastMs) => typeof value === 'number' && value < leastMs,
  },
  'dead-letter-exchange': {
    level: 'warning',
    does: 'sends what is destroyed elsewhere: a probe or token there is of no use to anybody',
  },
};

/** A queue that there is or could be, and the shortest consumer timeout in milliseconds that harms nobody there. */
export interface Subject {
  readonly name: string;
  readonly leastMs: number;
}

/** One finding for each policy that is in force on one of these queues and can destroy or hide a token. */
export function policyFindings(policies: readonly Policy[], queues: readonly Subject[]): Finding[] {
  const findings = [true, false].flatMap((operator) => {
    const ranked = policies
      .filter(
        (policy) => policy.operator === operator && /^(?:all|queues|quorum_queues)$/.test(policy.applyTo),
      )
      .sort((a, b) => b.priority - a.priority);
    const inForce = new Map<Policy, number>();
    for (const { name, leastMs } of queues) {
      const policy = ranked.find(({ pattern }) => matches(pattern, name));
      if (policy !== undefined) inForce.set(policy, Math.max(leastMs, inForce.get(policy) ?? 0));
    }
    return [...inForce].flatMap(([policy, leastMs]) => dangersOf(policy, leastMs));
  });
  return findings.length > 0
    ? findings
    : [{ check: 'policies', level: 'ok', says: 'no policy can destroy or hide a token' }];
}

function dangersOf({ name, vhost, pattern, definition, operator }: Policy, leastMs: number): Finding[] {
  const what = operator ? 'operator policy' : 'policy';
  return Object.entries(definition).flatMap(([key, value]): Finding[] => {
    const danger = Object.hasOwn(DANGERS, key) ? DANGERS[key] : undefined;
    if (danger === undefined || danger.harms?.(value, leastMs) === false) return [];
    return [
      {
        check: 'policies',
        level: danger.level,
        says: `${what} ${JSON.stringify(name)} (${pattern}) sets ${key} to ${JSON.stringify(value)} on locks: it ${danger.does}`,
        fix: `rabbitmqctl ${operator ? 'clear_operator_policy' : 'clear_policy'} -p ${quote(vhost)} ${quote(name)}`,
      },
    ];
  });
}

/** RabbitMQ's patterns are PCRE. One that cannot be read here is taken to match: better a needless word than none. */
function matches(pattern: string, queue: string): boolean {
  try {
    return new RegExp(pattern, 'u').test(queue);
  } catch {
    try {
      return new RegExp(pattern).test(queue);
    } catch {
      return true;
    }
  }
}
