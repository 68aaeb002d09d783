import type { LockSession } from '../broker/port.ts';
import { connectSession } from '../broker/session.ts';
import { parseConnectOptions, type Settings } from '../options.ts';
import { lockPlace } from '../protocol/topology.ts';
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

  /** With slots it is not the lock's alone. */
  queueOf(lock: string): string {
    return lockPlace(this.namespace, lock, this.settings.slots).queue;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.session.close(FAREWELL_MS);
  }
}
