import type { BrokerTraits, LockSession } from '../../broker/port.ts';
import { lockNameOf } from '../../protocol/topology.ts';
import { isBelow43 } from '../../protocol/versions.ts';
import { type Consumers, readConsumers } from '../locks/consumers.ts';
import { type Management, ManagementError } from '../management/client.ts';
import type { Node } from './cluster.ts';
import type { ConsumerTimeouts } from './consumer-timeout.ts';
import type { Finding } from './finding.ts';
import type { Limits } from './limits.ts';
import type { Policy } from './policies.ts';
import type { LockQueue } from './tokens.ts';

type Row = Readonly<Record<string, unknown>>;

const rowsOf = (answer: unknown): readonly Row[] => (Array.isArray(answer) ? (answer as Row[]) : []);
const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');
const numberOf = (value: unknown): number | undefined => (typeof value === 'number' ? value : undefined);

function partOf(namespace: string, queue: string): Pick<LockQueue, 'part' | 'lock'> {
  const registers = `baton.${namespace}.state.`;
  if (!queue.startsWith(registers)) return { part: 'lock', lock: lockNameOf(namespace, queue) ?? queue };
  const alike = `baton.${namespace}.lock.${queue.slice(registers.length)}`;
  return { part: 'register', lock: lockNameOf(namespace, alike) ?? queue };
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
    const rows = await this.#get('alarms and nodes', `nodes?columns=${columns}`);
    return rows?.map((row) => ({
      name: textOf(row.name),
      running: row.running === true,
      memoryAlarm: row.mem_alarm === true,
      diskAlarm: row.disk_free_alarm === true,
      partitions: rowsOf(row.partitions).map(String),
    }));
  }

  /** Undefined without the management API, or where the user may not ask for them. */
  async limits(user: string, vhost: string): Promise<Limits | undefined> {
    const read = async (path: string) => {
      const [row] = rowsOf(await this.#management.get(path));
      return (row?.value ?? {}) as Row;
    };
    try {
      const ofUser = await read(`user-limits/${encodeURIComponent(user)}`);
      const ofVhost = await read(`vhost-limits/${this.#management.vhost}`);
      return {
        user,
        vhost,
        channels: numberOf(ofUser['max-channels']),
        connections: numberOf(ofUser['max-connections']),
        vhostConnections: numberOf(ofVhost['max-connections']),
        queues: numberOf(ofVhost['max-queues']),
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
    const rows = await this.#get('feature flags', 'feature-flags?columns=name,state');
    const enabled = rows?.some(({ name, state }) => name === 'khepri_db' && state === 'enabled');
    if (enabled === true) return 'raft';
    return major < 4 ? 'mnesia' : 'could-be-raft';
  }

  /** Policies and operator policies of the virtual host. */
  async policies(): Promise<readonly Policy[] | undefined> {
    const { vhost } = this.#management;
    const [own, operators] = [
      await this.#get('policies', `policies/${vhost}`),
      await this.#get('operator policies', `operator-policies/${vhost}`),
    ];
    if (own === undefined && operators === undefined) return undefined;
    const read = (rows: readonly Row[] | undefined, operator: boolean) =>
      (rows ?? []).map((row) => ({
        vhost: textOf(row.vhost),
        name: textOf(row.name),
        pattern: textOf(row.pattern),
        priority: numberOf(row.priority) ?? 0,
        applyTo: textOf(row['apply-to']),
        definition: (typeof row.definition === 'object' ? row.definition : {}) as Row,
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
    const query = { name: `^baton\\.${namespace}\\.(?:lock|slot|state)\\.`, use_regex: 'true', columns };
    const rows = await this.#told('locks', () =>
      this.#management.list(`queues/${this.#management.vhost}`, query),
    );
    if (rows === undefined) return undefined;
    const queues = await Promise.all(
      (rows as readonly Row[]).map(async (row): Promise<LockQueue[]> => {
        const name = textOf(row.name);
        // What the API counts is up to 5 s old; this is the state of now.
        const depth = await session.look(name);
        if (depth === 'absent') return [];
        const members = rowsOf(row.members).map(String);
        // Of a queue whose leader has changed it shows old news for minutes.
        const online = new Set([...rowsOf(row.online).map(String), ...nodes]);
        return [
          {
            name,
            ...partOf(namespace, name),
            type: textOf(row.type),
            singleActiveConsumer: (row.arguments as Row | undefined)?.['x-single-active-consumer'] === true,
            ready: depth.ready,
            unacknowledged: numberOf(row.messages_unacknowledged),
            used: depth.consumers > 0,
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
    const rows = await this.#get('consumer timeouts', path);
    if (rows === undefined) return undefined;
    const shortest = (...kinds: string[]) => {
      const timeouts = rows
        .filter(({ queue }) => {
          const name = textOf((queue as Row | undefined)?.name);
          return kinds.some((kind) => name.startsWith(`baton.${namespace}.${kind}.`));
        })
        .flatMap(({ consumer_timeout }) => numberOf(consumer_timeout) ?? []);
      return timeouts.length === 0 ? undefined : Math.min(...timeouts);
    };
    return { locks: shortest('lock', 'slot'), registers: shortest('state') };
  }

  async #get(what: string, path: string): Promise<readonly Row[] | undefined> {
    const answer = await this.#told(what, () => this.#management.get(path));
    return answer === undefined ? undefined : rowsOf(answer);
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
