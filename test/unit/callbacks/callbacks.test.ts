import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { expect, test } from 'vitest';
import { uncaughtDuring } from '../uncaught.ts';
import { type Hooks, type Inside, live } from './life.ts';

const UNDISTURBED = live({});

const channels = [
  ...['acquire', 'verify', 'save', 'release'].flatMap((what) =>
    ['start', 'end', 'asyncStart', 'asyncEnd'].map((stage) => `tracing:batonmq:${what}:${stage}`),
  ),
  'tracing:batonmq:acquire:error',
  ...['start', 'error', 'end'].map((stage) => `tracing:batonmq:hold:${stage}`),
  ...['waiting', 'probe', 'seed', 'state'].map((what) => `batonmq:${what}`),
];

function subscribed(name: string, call: () => void): Hooks {
  subscribe(name, call);
  return { end: () => void unsubscribe(name, call) };
}

function logging(level: 'debug' | 'info' | 'warn' | 'error', call: () => void): Hooks {
  const silent = { debug() {}, info() {}, warn() {}, error() {} };
  return { logger: { ...silent, [level]: call } };
}

/** Every place where code of a user is called, but tasks: how to get there, and whether what it throws is heard of. */
const PLACES: Record<string, { hooks: (call: () => void) => Hooks; heard: boolean }> = {
  ...Object.fromEntries(
    channels.map((name) => [
      `a subscriber to ${name}`,
      { hooks: (call: () => void) => subscribed(name, call), heard: true },
    ]),
  ),
  ...Object.fromEntries(
    (['info', 'warn', 'error'] as const).map((level) => [
      `the logger's ${level}`,
      { hooks: (call: () => void) => logging(level, call), heard: false },
    ]),
  ),
  ...Object.fromEntries(
    (['done', 'failed', 'error', 'ahead', 'ended'] as const).map((event) => [
      `a listener to ${event} of a schedule`,
      { hooks: (call: () => void): Hooks => ({ schedule: (it) => it.on(event, call) }), heard: true },
    ]),
  ),
  'a listener to state of a coordinator': {
    hooks: (call) => ({ baton: (it) => it.on('state', call) }),
    heard: true,
  },
  'a listener to the signal of a lease': {
    hooks: (call) => ({ lease: (it) => it.signal.addEventListener('abort', call) }),
    heard: true,
  },
  'a listener to the signal of a run': {
    hooks: (call) => ({ run: ({ signal }) => signal.addEventListener('abort', call) }),
    heard: true,
  },
};

test.each(Object.entries(PLACES))(
  '%s that throws changes nothing of what happens',
  async (_, { hooks, heard }) => {
    let calls = 0;
    let happened: string[] = [];
    const uncaught = await uncaughtDuring(async () => {
      happened = await live(
        hooks(() => {
          calls += 1;
          throw new Error(`call ${calls}`);
        }),
      );
    });
    expect(calls).toBeGreaterThan(0);
    expect(happened).toEqual(await UNDISTURBED);
    expect(uncaught).toEqual(
      heard ? Array.from({ length: calls }, (_, i) => new Error(`call ${i + 1}`)) : [],
    );
  },
);

const INSIDE: typeof PLACES = {
  ...PLACES,
  'the schema of a state': { hooks: (validate) => ({ validate }), heard: false },
  'the toJSON of a state': { hooks: (toJson) => ({ toJson }), heard: false },
};

test.each(Object.entries(INSIDE))(
  '%s that calls back in changes nothing of what happens',
  async (_, { hooks }) => {
    const inside: Inside = {};
    const failed: unknown[] = [];
    let calls = 0;
    const happened = await live(
      hooks(() => {
        calls += 1;
        if (calls > 10) return; // each call back may lead to another one
        const { baton, lease } = inside;
        const take = async (lock: string) => (await baton?.lock(lock).tryAcquire())?.release();
        const work = [
          take('elsewhere'),
          take('a'),
          lease?.verify(),
          lease?.signal.aborted && lease.release(),
        ];
        for (const each of work) void Promise.resolve(each).catch((error) => failed.push(error.code));
      }),
      inside,
    );
    expect(calls).toBeGreaterThan(0);
    expect(happened).toEqual(await UNDISTURBED);
    expect(failed.filter((code) => code !== 'closed' && code !== 'lease-lost')).toEqual([]);
  },
);
