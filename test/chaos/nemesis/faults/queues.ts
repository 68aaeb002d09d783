import { setTimeout as pause } from 'node:timers/promises';
import { setEnvironment } from '../../site/erlang.ts';
import type { Fault, Field, Heal, Target } from '../fault.ts';

const binary = (text: string): string => `<<"${text}">>`;

/** Evaluates for each queue that exists; one that is being deleted or has no leader is no failure of the strike. */
async function forEachQueue(field: Field, { locks, node }: Target, action: string): Promise<void> {
  const queues = locks.map((lock) => binary(field.queueOf(lock))).join(', ');
  const each = `[catch case rabbit_amqqueue:lookup(
      rabbit_misc:r(<<"/">>, queue, Name)) of {ok, Queue} -> ${action}; _ -> absent end || Name <- [${queues}]]`;
  await anyNode(field, (control) => control.eval(each), node);
}

/** A policy on the queues of the locks, with a name of its own, so that several can be at work. */
function policy(
  name: string,
  definition: Record<string, number>,
  lastsMs: Fault['lastsMs'],
  weight = 1,
): Fault {
  return {
    name,
    reach: 'locks',
    weight,
    lastsMs,
    strike: async (field, { locks, node }) => {
      const queues = locks.map((lock) => field.queueOf(lock).replaceAll('.', '\\.'));
      const id = `${name}-${locks.join('-')}`.slice(0, 200);
      const pattern = `^(${queues.join('|')})$`;
      await anyNode(field, (control) => control.setPolicy(id, pattern, definition), node);
      return () => anyNode(field, (control) => control.clearPolicy(id));
    },
  };
}

type Control = Field['site']['nodes'][number]['control'];

/** Metadata can be written on any node that is up and in the majority: the first from this one on that does it. */
async function anyNode(
  { site }: Field,
  act: (control: Control) => Promise<unknown>,
  from = 0,
): Promise<void> {
  let failure: unknown;
  for (let attempt = 0; attempt < 20; attempt += 1) {
    for (const { control } of [...site.nodes.slice(from), ...site.nodes.slice(0, from)]) {
      try {
        await act(control);
        return;
      } catch (error) {
        failure = error;
      }
    }
    await pause(500);
  }
  throw failure;
}

/** Longer than the interval of verification, far shorter than the long hold: a holder that did not verify would be cut off. */
const CONSUMER_TIMEOUT_MS = 1_000;

const consumerTimeout: Fault = {
  name: 'consumer-timeout',
  reach: 'site',
  weight: 1,
  lastsMs: [5_000, 7_000],
  strike: async (field, { slot, lastsMs }) => {
    const set = async (timeoutMs: number, lookEveryMs: number): Promise<void> => {
      for (const { control } of field.site.nodes) {
        await setEnvironment(control, 'consumer_timeout', timeoutMs);
        await setEnvironment(control, 'channel_tick_interval', lookEveryMs);
      }
    };
    await set(CONSUMER_TIMEOUT_MS, 500);
    for (const other of [slot, slot + 1, slot + 2]) field.fleet.hold(other % field.wire.slots, lastsMs - 500);
    const heal: Heal = () => set(1_800_000, 60_000);
    return heal;
  },
};

/** Done to each queue, with nothing to heal. */
function atOnce(name: string, weight: number, erlang: string): Fault {
  return {
    name,
    reach: 'locks',
    weight,
    lastsMs: [0, 0],
    strike: async (field, target) => {
      await forEachQueue(field, target, erlang);
      return undefined;
    },
  };
}

export const QUEUE_FAULTS: readonly Fault[] = [
  atOnce('queue-delete', 4, 'rabbit_amqqueue:delete(Queue, false, false, <<"nemesis">>)'),
  atOnce('queue-purge', 3, 'rabbit_amqqueue:purge(Queue)'),
  // Drops the token at its next return: the limit in a policy wins over the queue's own.
  policy('policy-delivery-limit', { 'delivery-limit': 1 }, [300, 1_500], 2),
  policy('policy-message-ttl', { 'message-ttl': 1 }, [500, 3_000]),
  policy('policy-max-length', { 'max-length': 0 }, [500, 3_000]),
  consumerTimeout,
];
