import { parseConnectOptions, type Settings } from '../options.ts';
import type { LockSession } from '../protocol/port.ts';
import { lockNameOf, lockPlace, queueMeant } from '../protocol/queues.ts';
import type { BrokerAddress } from '../rabbitmq/address.ts';
import { connectSession } from '../rabbitmq/session.ts';
import { type Connection, readConnection } from './connection.ts';
import { type CONNECTION, type MANAGEMENT, readFlag, type Values } from './flags.ts';
import type { Management } from './management/client.ts';
import { openManagement } from './management/open.ts';

const FAREWELL_MS = 1_000;

/** With slots the queue is not the lock's alone. */
export interface Whereabouts {
  readonly queue: string;
  readonly lock: string;
}

/** A session with the broker, and its management API, which may turn out to be off. */
export class Inspection implements AsyncDisposable {
  readonly connection: Connection;
  readonly settings: Settings;
  readonly session: LockSession;
  readonly management: Management;
  /** The first of the brokers that were named. */
  readonly broker: BrokerAddress;

  private constructor(
    connection: Connection,
    settings: Settings,
    session: LockSession,
    management: Management,
    broker: BrokerAddress,
  ) {
    this.connection = connection;
    this.settings = settings;
    this.session = session;
    this.management = management;
    this.broker = broker;
  }

  /** Rejects with UsageError, and as `connect` does. */
  static async open(values: Values<typeof CONNECTION & typeof MANAGEMENT>): Promise<Inspection> {
    const connection = await readConnection(values, process.env);
    const settings = parseConnectOptions(connection.options);
    const given = readFlag('management-url', values, process.env);
    const { management, broker } = await openManagement(connection.urls, settings, given);
    const session = await connectSession(connection.urls, settings);
    return new Inspection(connection, settings, session, management, broker);
  }

  get namespace(): string {
    return this.settings.namespace;
  }

  /**
   * Where a lock is. Also taken is what `ls` prints where it knows no name: a queue's name, the hash and beginning of a
   * long name, and `3-of-64` for a slot, unless there is a lock of that name.
   */
  async find(name: string): Promise<Whereabouts> {
    const { namespace, slots } = this.settings;
    const { queue } = lockPlace(namespace, name, slots);
    const listed = queueMeant(namespace, name, slots);
    if (listed === undefined) return { queue, lock: name };
    if (slots === undefined && (await this.session.look(queue)) !== 'absent') return { queue, lock: name };
    return { queue: listed, lock: lockNameOf(namespace, listed) ?? listed };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.session.close(FAREWELL_MS);
  }
}
