import { isatty } from 'node:tty';
import type { Policy } from '../../jobs/decide.ts';
import { parseConnectOptions, parseLockName } from '../../options.ts';
import { type Connection, readConnection } from '../connection.ts';
import { formatDuration, parseDuration } from '../duration.ts';
import { type Environment, type Given, isOn, parseFlags, readFlag } from '../flags.ts';
import { UsageError } from '../usage-error.ts';
import { FLAGS } from './help.ts';
import { readOnce } from './once-order.ts';

const DEFAULT_KILL_AFTER_MS = 5_000;
const LONGEST_BEAT_MS = 250;

/** One call of `baton run`, read and judged. */
export interface RunOrder {
  readonly lock: string;
  readonly file: string;
  readonly args: readonly string[];
  readonly connection: Connection;
  /** How long to wait for the lock; Infinity waits without end, 0 not at all. */
  readonly waitMs: number;
  /** How long before the lease's end the command is told to stop. */
  readonly killAfterMs: number;
  /** How often the guard hears of the lease's end; also how soon a machine that woke up notices that it is over. */
  readonly beatEveryMs: number;
  /** Whether COMMAND does not get the variables in which a password can be. */
  readonly scrubEnv: boolean;
  /** Of `--once-per`. */
  readonly once: Policy | undefined;
  /** Not a word about a wait. */
  readonly quiet: boolean;
  /** Where to ask who holds the lock. */
  readonly managementUrl: Given | undefined;
}

/** Throws UsageError, or InvalidOptionsError for what the library does not take. */
export async function readOrder(argv: readonly string[], env: Environment): Promise<RunOrder> {
  const dashes = argv.indexOf('--');
  const own = dashes < 0 ? argv : argv.slice(0, dashes);
  const { values, positionals } = parseFlags(own, FLAGS);
  const [name, ...surplus] = positionals;
  if (name === undefined)
    throw new UsageError('baton run needs the name of a lock: baton run LOCK -- COMMAND');
  const [file, ...args] = dashes < 0 ? [] : argv.slice(dashes + 1);
  if (file === undefined || surplus.length > 0) {
    throw new UsageError(
      `put -- before the command: baton run ${name} -- ${(surplus.length > 0 ? surplus : [file ?? 'COMMAND']).join(' ')}`,
    );
  }
  const connection = await readConnection(values, env);
  const settings = parseConnectOptions(connection.options);
  const { leaseMs, verifyEveryMs } = settings;
  const once = readOnce(values, settings);
  return {
    lock: parseLockName(name),
    file,
    args,
    connection: labelled(connection, values.label ?? file),
    waitMs: readWait(values.wait, values['no-wait']),
    killAfterMs: readKillAfter(values['kill-after'], leaseMs - 1.5 * verifyEveryMs),
    beatEveryMs: Math.min(LONGEST_BEAT_MS, verifyEveryMs / 4),
    scrubEnv: values['scrub-env'] === true,
    once,
    // A crontab sends mail for every word, and there it is the rule that others wait until one has done the tick.
    quiet: isOn('quiet', values, env) || (once !== undefined && !isatty(2)),
    managementUrl: readFlag('management-url', values, env),
  };
}

function readWait(wait: string | undefined, noWait: boolean | undefined): number {
  if (noWait !== true) return wait === undefined ? Number.POSITIVE_INFINITY : parseDuration(wait, '--wait');
  if (wait !== undefined) throw new UsageError('--wait and --no-wait exclude each other');
  return 0;
}

/**
 * A hold in good order is proven again when `verifyEveryMs` have passed, the answer takes a while, and so does the
 * beat: the command must not be told to stop before half as long again.
 */
function readKillAfter(given: string | undefined, most: number): number {
  if (given === undefined) return Math.min(DEFAULT_KILL_AFTER_MS, most);
  const killAfterMs = parseDuration(given, '--kill-after');
  if (killAfterMs <= most) return killAfterMs;
  const rule = `at most --lease less one and a half --verify-every (${formatDuration(Math.floor(most))})`;
  throw new UsageError(`--kill-after must be ${rule}, got ${given}`);
}

/** The label goes into the properties of the connections, where operators can read it. */
function labelled({ urls, options }: Connection, label: string): Connection {
  const { socketOptions = {} } = options;
  const add = (given: object) => {
    const properties: unknown = Reflect.get(given, 'clientProperties');
    const clientProperties = {
      ...(typeof properties === 'object' ? properties : {}),
      baton_label: label.slice(0, 200),
    };
    return { ...given, clientProperties };
  };
  return {
    urls,
    options: {
      ...options,
      socketOptions:
        typeof socketOptions === 'function'
          ? async () => add(await (socketOptions as () => object | Promise<object>)())
          : add(socketOptions),
    },
  };
}
