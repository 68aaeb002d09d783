import type { LockSession } from '../broker/port.ts';
import { connectSession } from '../broker/session.ts';
import { parseConnectOptions, type Settings } from '../options.ts';
import { lockNameOf, lockPlace } from '../protocol/topology.ts';
import {
  type Connection,
  connectArgs,
  type FlagValues,
  MANAGEMENT_FLAG,
  readConnection,
  readFlag,
} from './connect-flags.ts';
import { Management } from './management/client.ts';

/** The flags of every command that only looks, or breaks; for `parseArgs`. */
export const inspectionArgs = { ...connectArgs, [MANAGEMENT_FLAG.name]: { type: 'string' as const } };

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

  private constructor(
    connection: Connection,
    settings: Settings,
    session: LockSession,
    management: Management,
  ) {
    this.connection = connection;
    this.settings = settings;
    this.session = session;
    this.management = management;
  }

  /** Rejects with UsageError, and as `connect` does. */
  static async open(flags: FlagValues): Promise<Inspection> {
    const connection = await readConnection(flags, process.env);
    const settings = parseConnectOptions(connection.options);
    const management = new Management(connection, readFlag(MANAGEMENT_FLAG, flags, process.env));
    return new Inspection(connection, settings, await connectSession(connection.urls, settings), management);
  }

  get namespace(): string {
    return this.settings.namespace;
  }

  /**
   * Where a lock is. Also taken is what `ls` prints where it knows no name: a queue's name, the hash and beginning of a
   * long name, and `3-of-64` for a slot, unless there is a lock of that name.
   */
  async find(name: string): Promise<Whereabouts> {
    const { queue } = lockPlace(this.namespace, name, this.settings.slots);
    const listed = this.#listed(name);
    const isListed = listed !== undefined && (await this.session.look(queue)) === 'absent';
    return isListed
      ? { queue: listed, lock: lockNameOf(this.namespace, listed) ?? listed }
      : { queue, lock: name };
  }

  #listed(name: string): string | undefined {
    const prefix = `baton.${this.namespace}`;
    if (/^#[\w-]{43}\./.test(name)) return `${prefix}.lock.${name}`;
    if (/^\d+-of-\d+$/.test(name)) return `${prefix}.slot.${name}`;
    return name.startsWith(`${prefix}.lock.`) || name.startsWith(`${prefix}.slot.`) ? name : undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.session.close(FAREWELL_MS);
  }
}
