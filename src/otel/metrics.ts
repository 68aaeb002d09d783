import type { Attributes, Meter, ObservableResult } from '@opentelemetry/api';
import type { LockTrace, SeedTrace, SessionTrace, StartOverTrace } from '../diagnostics.ts';
import type { SessionState } from '../protocol/port.ts';
import { errorType, listen, lostReason, type Stop } from './listen.ts';

const WAIT_BUCKETS_S = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800];
const SAVE_BUCKETS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const HOLD_BUCKETS_S = [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 1_800, 7_200, 43_200];

/** `result` is set by Node once a traced promise has resolved: the lease, or undefined for a try that found it held. */
type AcquireTrace = LockTrace & { result?: unknown };

/** Which attributes a lock's name becomes; names without bound must not. */
export type LockAttributes = (lock: string) => Attributes;

/** Records every metric of docs/operations.md on this meter. */
export function recordMetrics(meter: Meter, attributesOf: LockAttributes): Stop[] {
  const of = ({ lock, service }: LockTrace): Attributes => ({
    'batonmq.service': service,
    ...attributesOf(lock),
  });
  const stops = [
    ...recordWaits(meter, of),
    ...recordHolds(meter, of),
    ...recordSaves(meter, of),
    ...recordSessions(meter),
  ];
  const count = (name: string, unit: string, description: string) =>
    meter.createCounter(name, { unit, description });

  const probes = count('batonmq.probes', '{probe}', 'Queues probed because no token was seen');
  stops.push(listen<LockTrace>('batonmq:probe', (trace) => probes.add(1, of(trace))));
  const seeds = count('batonmq.seeds', '{token}', 'Tokens made, again: for a lock that had one');
  stops.push(
    listen<SeedTrace>('batonmq:seed', (trace) =>
      seeds.add(1, { ...of(trace), 'batonmq.seed.again': trace.again }),
    ),
  );
  const startOvers = count('batonmq.start_overs', '{queue}', 'Queues purged for a new token');
  stops.push(
    listen<StartOverTrace>('batonmq:start-over', (trace) =>
      startOvers.add(1, { ...of(trace), 'batonmq.start_over.reason': trace.reason }),
    ),
  );
  return stops;
}

function recordWaits(meter: Meter, of: (trace: LockTrace) => Attributes): Stop[] {
  const attempts = meter.createCounter('batonmq.acquire.attempts', {
    unit: '{attempt}',
    description: 'Calls of acquire, tryAcquire, run and tryRun',
  });
  const grants = meter.createCounter('batonmq.grants', { unit: '{grant}', description: 'Leases granted' });
  const waits = meter.createUpDownCounter('batonmq.active_waits', {
    unit: '{wait}',
    description: 'Calls that wait for a lock now',
  });
  const duration = meter.createHistogram('batonmq.acquire.duration', {
    unit: 's',
    description: 'From the call to the lease or to its failure',
    advice: { explicitBucketBoundaries: WAIT_BUCKETS_S },
  });
  const startedAt = new WeakMap<LockTrace, number>();
  return [
    listen<LockTrace>('tracing:batonmq:acquire:start', (trace) => {
      startedAt.set(trace, performance.now());
      attempts.add(1, of(trace));
      waits.add(1, of(trace));
    }),
    listen<AcquireTrace>('tracing:batonmq:acquire:asyncEnd', (trace) => {
      const from = startedAt.get(trace);
      if (from === undefined) return; // it began before anybody listened
      const attributes = of(trace);
      waits.add(-1, attributes);
      const failed = trace.error !== undefined;
      const outcome = failed ? 'failed' : trace.result === undefined ? 'held' : 'granted';
      if (outcome === 'granted') grants.add(1, attributes);
      duration.record((performance.now() - from) / 1_000, {
        ...attributes,
        'batonmq.outcome': outcome,
        ...(failed && { 'error.type': errorType(trace.error) }),
      });
    }),
  ];
}

function recordHolds(meter: Meter, of: (trace: LockTrace) => Attributes): Stop[] {
  const holds = meter.createUpDownCounter('batonmq.active_holds', {
    unit: '{hold}',
    description: 'Leases held now',
  });
  const losses = meter.createCounter('batonmq.losses', { unit: '{lease}', description: 'Leases lost' });
  const duration = meter.createHistogram('batonmq.hold.duration', {
    unit: 's',
    description: 'From the grant to the release or to the loss',
    advice: { explicitBucketBoundaries: HOLD_BUCKETS_S },
  });
  const startedAt = new WeakMap<LockTrace, number>();
  return [
    listen<LockTrace>('tracing:batonmq:hold:start', (trace) => {
      startedAt.set(trace, performance.now());
      holds.add(1, of(trace));
    }),
    listen<LockTrace>('tracing:batonmq:hold:end', (trace) => {
      const from = startedAt.get(trace);
      if (from === undefined) return;
      const attributes = of(trace);
      const reason = lostReason(trace.error);
      const why = reason === undefined ? {} : { 'batonmq.lost.reason': reason };
      holds.add(-1, attributes);
      if (reason !== undefined) losses.add(1, { ...attributes, ...why });
      duration.record((performance.now() - from) / 1_000, {
        ...attributes,
        'batonmq.outcome': reason === undefined ? 'released' : 'lost',
        ...why,
      });
    }),
  ];
}

function recordSaves(meter: Meter, of: (trace: LockTrace) => Attributes): Stop[] {
  const duration = meter.createHistogram('batonmq.save.duration', {
    unit: 's',
    description: 'From the call of save, or of a release with state, to its confirmation or failure',
    advice: { explicitBucketBoundaries: SAVE_BUCKETS_S },
  });
  const startedAt = new WeakMap<LockTrace, number>();
  return [
    listen<LockTrace>('tracing:batonmq:save:start', (trace) => {
      startedAt.set(trace, performance.now());
    }),
    listen<LockTrace>('tracing:batonmq:save:asyncEnd', (trace) => {
      const from = startedAt.get(trace);
      if (from === undefined) return;
      const failed = trace.error !== undefined;
      duration.record((performance.now() - from) / 1_000, {
        ...of(trace),
        'batonmq.outcome': failed ? 'failed' : 'saved',
        ...(failed && { 'error.type': errorType(trace.error) }),
      });
    }),
  ];
}

interface Session {
  readonly service: string;
  state: SessionState;
  sinceMs: number;
}

function recordSessions(meter: Meter): Stop[] {
  const reconnects = meter.createCounter('batonmq.session.reconnects', {
    unit: '{reconnect}',
    description: 'Times that a connection was lost and reconnecting began',
  });
  const count = meter.createObservableUpDownCounter('batonmq.sessions', {
    unit: '{session}',
    description: 'Coordinators by state',
  });
  const blocked = meter.createObservableCounter('batonmq.session.blocked_time', {
    unit: 's',
    description: 'Time for which the broker did not read what is published, because of an alarm',
  });
  const sessions = new Map<object, Session>();
  const blockedMs = new Map<string, number>();
  const add = ({ service, state, sinceMs }: Session) => {
    if (state !== 'blocked') return;
    blockedMs.set(service, (blockedMs.get(service) ?? 0) + performance.now() - sinceMs);
  };
  const stop = listen<SessionTrace>('batonmq:state', ({ session, service, from, to }) => {
    const known = sessions.get(session);
    if (known !== undefined) add(known);
    if (to === 'closed') sessions.delete(session);
    else sessions.set(session, { service, state: to, sinceMs: performance.now() });
    blockedMs.set(service, blockedMs.get(service) ?? 0);
    if (to === 'reconnecting' && from !== to) reconnects.add(1, { 'batonmq.service': service });
  });
  const onCount = (result: ObservableResult) => {
    // What is not observed keeps its last value in the SDK, so every state is told, the empty ones too.
    for (const service of blockedMs.keys()) {
      for (const state of ['open', 'blocked', 'reconnecting'] as const) {
        const all = [...sessions.values()].filter((each) => each.service === service && each.state === state);
        result.observe(all.length, { 'batonmq.service': service, 'batonmq.session.state': state });
      }
    }
  };
  const onBlocked = (result: ObservableResult) => {
    for (const known of sessions.values()) {
      add(known);
      known.sinceMs = performance.now();
    }
    for (const [service, ms] of blockedMs) result.observe(ms / 1_000, { 'batonmq.service': service });
  };
  count.addCallback(onCount);
  blocked.addCallback(onBlocked);
  return [stop, () => count.removeCallback(onCount), () => blocked.removeCallback(onBlocked)];
}
