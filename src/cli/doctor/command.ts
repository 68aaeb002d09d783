import { hostname } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { connect, isBatonError } from '../../index.ts';
import type { LockSession } from '../../protocol/port.ts';
import { lockQueueName, registerQueueName } from '../../protocol/queues.ts';
import { REFRESH_MS } from '../../protocol/register/keeping.ts';
import { isBelow43 } from '../../protocol/versions.ts';
import { formatDuration } from '../duration.ts';
import { exitCodeOf } from '../exit-codes.ts';
import { inFlags, parseFlags } from '../flags.ts';
import { Inspection } from '../inspection.ts';
import { printJson, printLines } from '../talk.ts';
import { accessFindings } from './access.ts';
import { clusterFindings, type Node } from './cluster.ts';
import { consumerTimeoutFindings } from './consumer-timeout.ts';
import { Facts } from './facts.ts';
import type { Finding, Level } from './finding.ts';
import { FLAGS } from './help.ts';
import { jobFindings } from './jobs.ts';
import { latencyFindings } from './latency.ts';
import { limitFindings } from './limits.ts';
import { lineFindings, stillUnserved, unservedAfterMs, unservedIn } from './line.ts';
import { policyFindings } from './policies.ts';
import { priorityFindings } from './priority.ts';
import { slotFindings } from './slots.ts';
import { isSuspicious, tokenFindings, type Whereabouts } from './tokens.ts';
import { versionFindings } from './version.ts';

const LEVELS: readonly Level[] = ['ok', 'note', 'warning', 'problem'];
/** Longer than a probe lives, and than the management API needs to know of a new queue (up to 10 s). */
const DOUBT_MS = 12_000;
const LOOK_AGAIN_MS = 1_000;

/** `baton doctor`: what is wrong, or could go wrong, with the broker as a place for locks. Resolves with the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  const { values } = parseFlags(argv, FLAGS, { allowPositionals: false });
  const started = performance.now();
  const inspection = await Inspection.open(values).catch((error: unknown) => {
    if (!isBatonError(error)) throw error;
    return error;
  });
  if (!(inspection instanceof Inspection)) {
    await print(
      [{ check: 'connection', level: 'problem', says: inFlags(inspection.message) }],
      values.json === true,
    );
    return exitCodeOf(inspection);
  }
  await using _ = inspection;
  const findings = await examine(inspection, performance.now() - started, values.jobs === true);
  await print(findings, values.json === true);
  const worst = worstOf(findings);
  return worst === 'problem' ? 2 : worst === 'warning' ? 1 : 0;
}

async function examine(inspection: Inspection, connectMs: number, readsJobs: boolean): Promise<Finding[]> {
  const { session, management, namespace, settings } = inspection;
  const { user, vhost } = inspection.broker;
  const facts = new Facts(management);
  const nodes = await facts.nodes();
  // Before anything of doctor's own is there.
  const patienceMs = unservedAfterMs({
    delays: !isBelow43(session.traits.version),
    leaseMs: settings.leaseMs,
  });
  const tokens = await examineTokens(facts, session, nodes ?? [], { namespace, vhost }, patienceMs);
  const lock = `baton-doctor@${hostname()}`;
  const queue = lockQueueName(namespace, lock);
  const access = await accessFindings({ session, queue, lock, user, vhost });
  const latency = access.every(({ level }) => level === 'ok')
    ? await examineLatency(inspection, {
        lock,
        connectMs,
        removes: nodes?.every(({ running }) => running) !== false,
      })
    : [];
  const policies = await facts.policies();
  const limits = await facts.limits(user, vhost);
  const timeouts = await facts.consumerTimeouts(namespace);
  const register = registerQueueName(namespace, lock);
  const { leaseMs } = settings;
  const subjects = [
    ...[queue, register].map((name) => ({ name, leastMs: leaseMs })),
    ...tokens.queues.map(({ name, part }) => ({
      name,
      leastMs: part === 'register' ? 2 * REFRESH_MS : leaseMs,
    })),
  ];
  return [
    ...versionFindings(session.traits.version),
    ...heartbeat(inspection),
    ...access,
    ...(limits === undefined ? [] : limitFindings(limits)),
    ...latency,
    ...(nodes === undefined ? [] : clusterFindings(nodes, await facts.metadata(session.traits.version))),
    ...(policies === undefined ? [] : policyFindings(policies, subjects)),
    ...(timeouts === undefined ? [] : consumerTimeoutFindings(timeouts, leaseMs)),
    ...tokens.findings,
    ...(readsJobs ? await jobFindings(inspection, tokens.queues) : []),
    ...facts.untold(),
  ];
}

async function examineTokens(
  facts: Facts,
  session: LockSession,
  nodes: readonly Node[],
  where: Whereabouts,
  patienceMs: number,
) {
  const running = new Set(nodes.filter((node) => node.running).map(({ name }) => name));
  const first = await facts.lockQueues(where.namespace, session, running);
  if (first === undefined) return { queues: [], findings: [] };
  let queues = first;
  let suspects = new Set(first.filter(isSuspicious).map(({ name }) => name));
  let unserved = unservedIn(first, await facts.consumers(where.namespace));
  const isInDoubt = (waitedMs: number) =>
    (suspects.size > 0 && waitedMs < DOUBT_MS) || (unserved.size > 0 && waitedMs < patienceMs);
  const started = performance.now();
  while (isInDoubt(performance.now() - started)) {
    await pause(LOOK_AGAIN_MS);
    queues = (await facts.lockQueues(where.namespace, session, running)) ?? [];
    const still = queues.filter((queue) => suspects.has(queue.name) && isSuspicious(queue));
    suspects = new Set(still.map(({ name }) => name));
    unserved = stillUnserved(unserved, unservedIn(queues, await facts.consumers(where.namespace)));
  }
  const { contestants } = await facts.consumers(where.namespace);
  // Only what was wrong at every look.
  const believed = queues.filter((queue) => !isSuspicious(queue) || suspects.has(queue.name));
  return {
    queues,
    findings: [
      ...tokenFindings(believed, where),
      ...slotFindings(believed),
      ...lineFindings(unserved.values(), where),
      ...priorityFindings(contestants, where),
    ],
  };
}

async function examineLatency(
  { connection, session, settings, namespace }: Inspection,
  { lock, connectMs, removes }: { lock: string; connectMs: number; removes: boolean },
) {
  // A queue of doctor's own, which it removes: with slots it would be that of others.
  const options = { ...connection.options, slots: undefined, idleExpiryMs: undefined };
  await using baton = await connect(connection.urls, options);
  const queue = lockQueueName(namespace, lock);
  const { leaseMs } = settings;
  return await latencyFindings({ baton, session, lock, queue, connectMs, leaseMs, removes });
}

/** `connect` has refused a lease that does not fit what was negotiated. */
function heartbeat({ settings: { leaseMs, verifyEveryMs } }: Inspection): Finding[] {
  const says = `a lease of ${formatDuration(leaseMs)}, proven every ${formatDuration(verifyEveryMs)}, fits the negotiated heartbeat: a holder gives up before the broker does`;
  return [{ check: 'heartbeat', level: 'ok', says }];
}

function worstOf(findings: readonly Finding[]): Level {
  return LEVELS[Math.max(0, ...findings.map(({ level }) => LEVELS.indexOf(level)))] ?? 'ok';
}

async function print(findings: readonly Finding[], asJson: boolean): Promise<void> {
  if (asJson) return printJson({ worst: worstOf(findings), findings });
  await printLines(
    findings.flatMap(({ check, level, says, fix }) => [
      `${level.padEnd(8)} ${check.padEnd(16)} ${says}`,
      ...(fix === undefined ? [] : [`${' '.repeat(26)}${fix}`]),
    ]),
  );
}
