import type { z } from 'zod';
import type { BrokerTraits, LockSession } from '../../protocol/port.ts';
import {
  isQueueOf,
  lockNameOf,
  type QueueKind,
  queuePattern,
  registerNameOf,
} from '../../protocol/queues.ts';
import { isBelow43 } from '../../protocol/versions.ts';
import { type Consumers, readConsumers } from '../locks/consumers.ts';
import { lookAt } from '../locks/look.ts';
import { fields, flag, number, part, readRows, text, texts } from '../management/answers.ts';
import { type Management, ManagementError } from '../management/client.ts';
import type { Node } from './cluster.ts';
import type { ConsumerTimeouts } from './consumer-timeout.ts';
import type { Finding } from './finding.ts';
import type { Limits } from './limits.ts';
import type { Policy } from './policies.ts';
import type { LockQueue } from './tokens.ts';

const nodeSchema = part({
  name: text,
  running: flag,
  mem_alarm: flag,
  disk_free_alarm: flag,
  partitions: texts,
});
const flagSchema = part({ name: text, state: text });
const policySchema = part({
  vhost: text,
  name: text,
  pattern: text,
  priority: number,
  'apply-to': text,
  definition: fields,
});
const queueSchema = part({
  name: text,
  type: text,
  arguments: fields,
  messages_unacknowledged: number,
  members: texts,
  online: texts,
});
const limitsSchema = part({
  value: part({ 'max-channels': number, 'max-connections': number, 'max-queues': number }),
});
const timeoutSchema = part({ queue: part({ name: text }), consumer_timeout: number });

function partOf(namespace: string, queue: string): Pick<LockQueue, 'part' | 'lock'> {
  return isQueueOf(namespace, queue, 'state')
    ? { part: 'register', lock: registerNameOf(namespace, queue) ?? queue }
    : { part: 'lock', lock: lockNameOf(namespace, queue) ?? queue };
}

/** Reads what the management API knows; what it does not tell becomes a finding of its own. */
export class Facts {
  readonly #management: Management;
  /** What could not be looked at, by the reason. */
  readonly #untold = new Map<string, string[]>();

  constructor(management: Management) {
    this.#management = management;
  }

  /** One finding for each reason why something could not be looked at. */
  untold(): Finding[] {
    return [...this.#untold].map(([reason, what]) => ({
      check: 'management',
      level: 'note',
      says: `not looked at (${what.join(', ')}): ${reason}`,
    }));
  }

  async nodes(): Promise<readonly Node[] | undefined> {
    const columns = 'name,running,mem_alarm,disk_free_alarm,partitions';
    const rows = await this.#get('alarms and nodes', `nodes?columns=${columns}`, nodeSchema);
    return rows?.map(({ mem_alarm: memoryAlarm, disk_free_alarm: diskAlarm, ...node }) => ({
      ...node,
      memoryAlarm,
      diskAlarm,
    }));
  }

  /** Undefined without the management API, or where the user may not ask for them. */
  async limits(user: string, vhost: string): Promise<Limits | undefined> {
    const read = async (path: string) => {
      const [row] = readRows(limitsSchema, await this.#management.get(path));
      return row?.value ?? limitsSchema.parse({}).value;
    };
    try {
      const ofUser = await read(`user-limits/${encodeURIComponent(user)}`);
      const ofVhost = await read(`vhost-limits/${this.#management.vhost}`);
      return {
        user,
        vhost,
        channels: ofUser['max-channels'],
        connections: ofUser['max-connections'],
        vhostConnections: ofVhost['max-connections'],
        queues: ofVhost['max-queues'],
      };
    } catch (error) {
      if (error instanceof ManagementError) return undefined;
      throw error;
    }
  }

  /** Whether the cluster keeps its metadata by Raft: never below 3.13, where it is an experiment; always from 4.3 on. */
  async metadata(version: BrokerTraits['version']): Promise<'raft' | 'could-be-raft' | 'mnesia'> {
    const [major, minor] = version;
    if (!isBelow43(version)) return 'raft';
    if (major < 3 || (major === 3 && minor < 13)) return 'mnesia';
    const rows = await this.#get('feature flags', 'feature-flags?columns=name,state', flagSchema);
    const enabled = rows?.some(({ name, state }) => name === 'khepri_db' && state === 'enabled');
    if (enabled === true) return 'raft';
    return major < 4 ? 'mnesia' : 'could-be-raft';
  }

  /** Policies and operator policies of the virtual host. */
  async policies(): Promise<readonly Policy[] | undefined> {
    const { vhost } = this.#management;
    const own = await this.#get('policies', `policies/${vhost}`, policySchema);
    const operators = await this.#get('operator policies', `operator-policies/${vhost}`, policySchema);
    if (own === undefined && operators === undefined) return undefined;
    const read = (rows: typeof own, operator: boolean) =>
      (rows ?? []).map(({ 'apply-to': applyTo, priority = 0, ...row }) => ({
        ...row,
        priority,
        applyTo,
        operator,
      }));
    return [...read(own, false), ...read(operators, true)];
  }

  /** Every queue under the name of a lock of this namespace, and of its state. `nodes`: those that run. */
  async lockQueues(
    namespace: string,
    session: LockSession,
    nodes: ReadonlySet<string>,
  ): Promise<readonly LockQueue[] | undefined> {
    const columns = 'name,type,arguments,messages_unacknowledged,members,online';
    const name = queuePattern(namespace, 'lock', 'slot', 'state');
    const query = { name, use_regex: 'true', columns };
    const answer = await this.#told('locks', () =>
      this.#management.list(`queues/${this.#management.vhost}`, query),
    );
    if (answer === undefined) return undefined;
    const rows = new Map(readRows(queueSchema, answer).map((row) => [row.name, row]));
    const queues = await Promise.all(
      [...rows.values()].map(async (row): Promise<LockQueue[]> => {
        const { name, members } = row;
        // What the API counts is up to 5 s old; this is the state of now.
        const depth = await lookAt(session, name);
        if (depth === 'absent') return [];
        const { ready, consumers, problem } = { ready: 0, consumers: 0, problem: undefined, ...depth };
        // Of a queue whose leader has changed it shows old news for minutes.
        const online = new Set([...row.online, ...nodes]);
        return [
          {
            name,
            ...partOf(namespace, name),
            type: row.type,
            singleActiveConsumer: row.arguments['x-single-active-consumer'] === true,
            ready,
            unacknowledged: row.messages_unacknowledged,
            used: consumers > 0,
            problem,
            members: members.length,
            online: members.filter((member) => online.has(member)).length,
          },
        ];
      }),
    );
    return queues.flat();
  }

  /** Who holds and who waits, by their own words and the broker's; nobody when it does not tell. */
  async consumers(namespace: string): Promise<Consumers> {
    const told = await this.#told('who is in line', () => readConsumers(this.#management, namespace));
    return told ?? { contestants: [], notices: [] };
  }

  /** The shortest consumer timeouts of the namespace's consumers; empty when nothing tells (below 4.0). */
  async consumerTimeouts(namespace: string): Promise<ConsumerTimeouts | undefined> {
    const path = `consumers/${this.#management.vhost}?columns=queue.name,consumer_timeout`;
    const rows = await this.#get('consumer timeouts', path, timeoutSchema);
    if (rows === undefined) return undefined;
    const shortest = (...kinds: QueueKind[]) => {
      const timeouts = rows
        .filter(({ queue: { name } }) => isQueueOf(namespace, name, ...kinds))
        .flatMap(({ consumer_timeout }) => consumer_timeout ?? []);
      return timeouts.length === 0 ? undefined : Math.min(...timeouts);
    };
    return { locks: shortest('lock', 'slot'), registers: shortest('state') };
  }

  async #get<T>(what: string, path: string, schema: z.ZodType<T>): Promise<readonly T[] | undefined> {
    const answer = await this.#told(what, () => this.#management.get(path));
    return answer === undefined ? undefined : readRows(schema, answer);
  }

  async #told<T>(what: string, ask: () => Promise<T>): Promise<T | undefined> {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof ManagementError)) throw error;
      this.#untold.set(error.message, [...(this.#untold.get(error.message) ?? []), what]);
      return undefined;
    }
  }
}
