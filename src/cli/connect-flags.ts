import { readFileSync, statSync } from 'node:fs';
import type { BrokerUrls, ConnectOptions, GrantMode } from '../index.ts';
import { parseDuration } from './duration.ts';
import { systemText } from './system-text.ts';
import { UsageError } from './usage-error.ts';
import { verboseLogger } from './verbose.ts';

/** A flag that takes a value; its environment variable is `BATON_` and the name in capitals. */
interface Flag {
  readonly name: string;
  readonly value: string;
  readonly help: string;
}

/** A command acquires one lock, so it has nothing to hand over inside its process. */
type Plain = Exclude<keyof ConnectOptions, 'socketOptions' | 'logger' | 'localBatch'>;

const OPTIONS = {
  service: {
    name: 'service',
    value: 'NAME',
    help: 'shown to operators with every lock and connection (default: baton)',
  },
  namespace: {
    name: 'namespace',
    value: 'NAME',
    help: 'locks of different namespaces never meet (default: default)',
  },
  heartbeatMs: { name: 'heartbeat', value: 'TIME', help: 'AMQP heartbeat, whole seconds (default: 10s)' },
  leaseMs: {
    name: 'lease',
    value: 'TIME',
    help: 'how long a hold lasts without proof; under 2 heartbeats (default: 15s)',
  },
  verifyEveryMs: {
    name: 'verify-every',
    value: 'TIME',
    help: 'how often a holder asks for proof; at most half a lease (default: 5s)',
  },
  healAfterMs: {
    name: 'heal-after',
    value: 'TIME',
    help: 'how long a lock without token is waited for before it is mended (default: 30s)',
  },
  grant: { name: 'grant', value: 'MODE', help: 'auto, verified or immediate (default: auto)' },
  idleExpiryMs: {
    name: 'idle-expiry',
    value: 'TIME',
    help: 'the broker deletes a lock unused for that long; the same for everybody (default: never)',
  },
  slots: {
    name: 'slots',
    value: 'COUNT',
    help: 'all locks share so many queues; the same for everybody in the namespace (default: one each)',
  },
  connectTimeoutMs: {
    name: 'connect-timeout',
    value: 'TIME',
    help: 'how long a broker that does not answer is tried at the start, over all URLs (default: 10s)',
  },
} as const satisfies Record<Plain, Flag>;

const URL_FLAG: Flag = {
  name: 'url',
  value: 'URL',
  help: 'amqp://user:password@host/vhost; repeat it for several, tried in turn (default: amqp://localhost)',
};
const URL_FILE: Flag = {
  name: 'url-file',
  value: 'FILE',
  help: 'file with such URLs, white space between them; read again at every connection',
};
const TLS = {
  ca: { name: 'ca', value: 'FILE', help: 'certificates of the authorities to trust, PEM, for amqps://' },
  cert: { name: 'cert', value: 'FILE', help: 'client certificate, PEM' },
  key: { name: 'key', value: 'FILE', help: 'key of the client certificate, PEM' },
} as const satisfies Record<string, Flag>;
const SOCKET: Flag = {
  name: 'socket-options',
  value: 'JSON',
  help: 'more options of tls.connect: {"servername":"mq1","passphrase":"…"}',
};

/** Where the management API is; for the commands that ask it. */
export const MANAGEMENT_FLAG: Flag = {
  name: 'management-url',
  value: 'URL',
  help: 'http://user:password@host:15672 of the management API (default: that port of the broker, same user)',
};

/** The flags of {@link readConnection}, in the order of `--help`. */
export const CONNECT_FLAGS: readonly Flag[] = [
  URL_FLAG,
  URL_FILE,
  ...Object.values(OPTIONS),
  ...Object.values(TLS),
  SOCKET,
];

/** The environment variable of a flag: `--connect-timeout` is `BATON_CONNECT_TIMEOUT`. */
export const variableOf = (flag: string): string => `BATON_${flag.toUpperCase().replaceAll('-', '_')}`;

/** As `parseArgs` wants them. */
export const connectArgs = {
  ...Object.fromEntries(
    CONNECT_FLAGS.map(({ name }) => [name, { type: 'string' as const, multiple: name === 'url' }]),
  ),
  verbose: { type: 'boolean' as const, short: 'v' },
};

export type Environment = Readonly<Record<string, string | undefined>>;

/** A value, and the flag or variable it was given by. */
export interface Given {
  readonly text: string;
  readonly what: string;
}

/** What `parseArgs` made of the flags. */
export type FlagValues = Readonly<Record<string, unknown>>;

export interface Connection {
  readonly urls: BrokerUrls;
  readonly options: ConnectOptions;
}

/** Variables in which a password can be, or where to find one. */
export const SECRET_VARIABLES: readonly string[] = [URL_FLAG, URL_FILE, SOCKET, MANAGEMENT_FLAG].map(
  ({ name }) => variableOf(name),
);

/** Flags, else environment, else defaults. Throws UsageError for what cannot be read; the library judges the rest. */
export async function readConnection(flags: FlagValues, env: Environment): Promise<Connection> {
  const read = (flag: Flag) => readFlag(flag, flags, env);
  const text = (flag: Flag) => read(flag)?.text;
  const duration = (flag: Flag) => {
    const given = read(flag);
    return given && parseDuration(given.text, given.what);
  };
  const given = parseObject(read(SOCKET));
  const files = Object.values(TLS).flatMap((flag) => {
    const file = read(flag);
    return file === undefined ? [] : [{ name: flag.name, file }];
  });
  const verbose = flags.verbose === true || isTrue(env.BATON_VERBOSE);
  return {
    urls: readUrls(flags, env),
    options: {
      service: text(OPTIONS.service) ?? 'baton',
      namespace: text(OPTIONS.namespace),
      heartbeatMs: duration(OPTIONS.heartbeatMs),
      leaseMs: duration(OPTIONS.leaseMs),
      verifyEveryMs: duration(OPTIONS.verifyEveryMs),
      healAfterMs: duration(OPTIONS.healAfterMs),
      grant: text(OPTIONS.grant) as GrantMode | undefined,
      idleExpiryMs: duration(OPTIONS.idleExpiryMs),
      slots: parseCount(read(OPTIONS.slots)),
      connectTimeoutMs: duration(OPTIONS.connectTimeoutMs),
      socketOptions: withFiles(given, files),
      logger: verbose ? await verboseLogger() : undefined,
    },
  };
}

/** What a flag or its variable says, and which of them. */
export function readFlag({ name }: Flag, flags: FlagValues, env: Environment): Given | undefined {
  const flag = flags[name];
  if (typeof flag === 'string') return { text: flag, what: `--${name}` };
  const text = env[variableOf(name)];
  return text === undefined || text === '' ? undefined : { text, what: variableOf(name) };
}

/** The library's sentence about options, in the words of the command line: `leaseMs` is `--lease`. */
export function inFlags(message: string): string {
  return Object.entries(OPTIONS).reduce(
    (said, [option, { name }]) => said.replaceAll(new RegExp(`\\b${option}(?= must| \\()`, 'g'), `--${name}`),
    message
      .replaceAll(/\bconnect: /g, '')
      .replace(
        'ca, cert, key and servername in socketOptions',
        '--ca, --cert, --key and servername in --socket-options',
      ),
  );
}

function readUrls(flags: FlagValues, env: Environment): BrokerUrls {
  const { [URL_FLAG.name]: given, [URL_FILE.name]: file } = flags;
  if (Array.isArray(given) && given.length > 0) {
    if (file !== undefined) throw new UsageError('--url and --url-file exclude each other');
    return given as string[];
  }
  const urls = inWords(env[variableOf(URL_FLAG.name)] ?? '');
  if (file === undefined && urls.length > 0) return urls;
  const named = readFlag(URL_FILE, flags, env);
  return named === undefined ? ['amqp://localhost'] : urlsOf(named);
}

/** What the file holds whenever it is asked; a pipe, such as `<(…)` of a shell, can be read only once. */
function urlsOf(file: Given): BrokerUrls {
  const readAll = () => {
    const urls = inWords(readFile(file).toString());
    if (urls.length === 0) throw new UsageError(`${file.what}: there is no URL in ${file.text}`);
    return urls;
  };
  const first = readAll();
  return statSync(file.text).isFile() ? readAll : first;
}

const inWords = (text: string): string[] => text.split(/\s+/).filter((word) => word !== '');

function parseCount(given: Given | undefined): number | undefined {
  if (given === undefined) return undefined;
  if (/^\d+$/.test(given.text)) return Number(given.text);
  throw new UsageError(`${given.what} must be a whole number, got ${JSON.stringify(given.text)}`);
}

function parseObject(given: Given | undefined): object {
  if (given === undefined) return {};
  try {
    const value: unknown = JSON.parse(given.text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  } catch {
    // The error of JSON.parse quotes its input, and a passphrase may be in it.
  }
  throw new UsageError(`${given.what} must be a JSON object such as {"servername":"mq1"}`);
}

interface OptionFile {
  readonly name: string;
  readonly file: Given;
}

/** Files are read again whenever the options are asked for: certificates are rotated. */
function withFiles(
  given: object,
  files: readonly OptionFile[],
): NonNullable<ConnectOptions['socketOptions']> {
  if (files.length === 0) return given;
  const readAll = () => ({
    ...given,
    ...Object.fromEntries(files.map(({ name, file }) => [name, readFile(file)])),
  });
  readAll();
  return readAll;
}

function readFile({ text, what }: Given): Buffer {
  try {
    return readFileSync(text);
  } catch (error) {
    const reason = systemText(String(Reflect.get(Object(error), 'code')));
    throw new UsageError(`${what} cannot be read from ${JSON.stringify(text)}: ${reason}`);
  }
}

/** Of a variable that is on or off. */
export const isTrue = (text: string | undefined): boolean =>
  text !== undefined && !['', '0', 'false'].includes(text);
