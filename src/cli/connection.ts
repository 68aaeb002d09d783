import { readFileSync, statSync } from 'node:fs';
import type { BrokerUrls, ConnectOptions, GrantMode } from '../index.ts';
import { parseDuration } from './duration.ts';
import {
  type CONNECTION,
  type Environment,
  type Given,
  isOn,
  readFlag,
  type Values,
  variableOf,
} from './flags.ts';
import { systemText } from './system-text.ts';
import { UsageError } from './usage-error.ts';
import { verboseLogger } from './verbose.ts';

type ConnectionValues = Values<typeof CONNECTION>;
/** A flag with one value. */
type Single = Exclude<keyof ConnectionValues, 'url' | 'verbose'>;

export interface Connection {
  readonly urls: BrokerUrls;
  readonly options: ConnectOptions;
}

/** Flags, else environment, else defaults. Throws UsageError for what cannot be read; the library judges the rest. */
export async function readConnection(values: ConnectionValues, env: Environment): Promise<Connection> {
  const read = (name: Single) => readFlag(name, values, env);
  const text = (name: Single) => read(name)?.text;
  const duration = (name: Single) => {
    const given = read(name);
    return given && parseDuration(given.text, given.what);
  };
  const given = parseObject(read('socket-options'));
  const files = (['ca', 'cert', 'key'] as const).flatMap((name) => {
    const file = read(name);
    return file === undefined ? [] : [{ name, file }];
  });
  return {
    urls: readUrls(values, env),
    options: {
      service: text('service') ?? 'baton',
      namespace: text('namespace'),
      heartbeatMs: duration('heartbeat'),
      leaseMs: duration('lease'),
      verifyEveryMs: duration('verify-every'),
      healAfterMs: duration('heal-after'),
      grant: text('grant') as GrantMode | undefined,
      idleExpiryMs: duration('idle-expiry'),
      slots: parseCount(read('slots')),
      connectTimeoutMs: duration('connect-timeout'),
      socketOptions: withFiles(given, files),
      logger: isOn('verbose', values, env) ? await verboseLogger() : undefined,
    },
  };
}

function readUrls(values: ConnectionValues, env: Environment): BrokerUrls {
  const { url = [], 'url-file': file } = values;
  if (url.length > 0) {
    if (file !== undefined) throw new UsageError('--url and --url-file exclude each other');
    return url;
  }
  const urls = inWords(env[variableOf('url')] ?? '');
  if (file === undefined && urls.length > 0) return urls;
  const named = readFlag('url-file', values, env);
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
