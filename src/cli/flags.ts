import { parseArgs } from 'node:util';

/** What is to be known of a flag: for `parseArgs`, `--help`, the environment and docs/cli.md. Its key is its name. */
export interface Flag {
  /** A new line in it is one in `--help`. */
  readonly help: string;
  /** What `--help` calls its value; without one the flag is on or off. */
  readonly value?: string;
  readonly short?: string;
  /** It can be repeated. */
  readonly multiple?: true;
  /** It is also taken from a variable, see {@link variableOf}. */
  readonly env?: boolean;
  /** A password can be in its value, or in what its value names. */
  readonly secret?: true;
}

export type Flags = Readonly<Record<string, Flag>>;

/** What was given of these flags. */
export type Values<F extends Flags> = {
  readonly [Name in keyof F]?: F[Name] extends { value: string }
    ? F[Name] extends { multiple: true }
      ? readonly string[]
      : string
    : boolean;
};

/** Every command takes them; `connection.ts` reads them. */
export const CONNECTION = inEnvironment({
  url: {
    value: 'URL',
    multiple: true,
    secret: true,
    help: 'amqp://user:password@host/vhost; repeat it for several, tried in turn (default: amqp://localhost)',
  },
  'url-file': {
    value: 'FILE',
    secret: true,
    help: 'file with such URLs, white space between them; read again at every connection',
  },
  service: { value: 'NAME', help: 'shown to operators with every lock and connection (default: baton)' },
  namespace: { value: 'NAME', help: 'locks of different namespaces never meet (default: default)' },
  heartbeat: { value: 'TIME', help: 'AMQP heartbeat, whole seconds (default: 10s)' },
  lease: { value: 'TIME', help: 'how long a hold lasts without proof; under 2 heartbeats (default: 15s)' },
  'verify-every': {
    value: 'TIME',
    help: 'how often a holder asks for proof; at most half a lease (default: 5s)',
  },
  'heal-after': {
    value: 'TIME',
    help: 'how long a lock without token is waited for before it is mended (default: 30s)',
  },
  grant: { value: 'MODE', help: 'auto, verified or immediate (default: auto)' },
  'idle-expiry': {
    value: 'TIME',
    help: 'the broker deletes a lock unused for that long; the same for everybody (default: never)',
  },
  slots: {
    value: 'COUNT',
    help: 'all locks share so many queues; the same for everybody in the namespace (default: one each)',
  },
  'connect-timeout': {
    value: 'TIME',
    help: 'how long a broker that does not answer is tried at the start, over all URLs (default: 10s)',
  },
  ca: { value: 'FILE', help: 'certificates of the authorities to trust, PEM, for amqps://' },
  cert: { value: 'FILE', help: 'client certificate, PEM' },
  key: { value: 'FILE', help: 'key of the client certificate, PEM' },
  'socket-options': {
    value: 'JSON',
    secret: true,
    help: 'more options of tls.connect: {"servername":"mq1","passphrase":"…"}',
  },
  verbose: { short: 'v', help: 'tell what happens, as JSON lines on stderr' },
});

/** Where the management API is; for the commands that ask it. */
export const MANAGEMENT = inEnvironment({
  'management-url': {
    value: 'URL',
    secret: true,
    help: 'http://user:password@host:15672 of the management API (default: that port of the broker, same user)',
  },
});

/** Variables in which a password can be, or where to find one. */
export const SECRET_VARIABLES: readonly string[] = Object.entries<Flag>({ ...CONNECTION, ...MANAGEMENT })
  .filter(([, { secret }]) => secret)
  .map(([name]) => variableOf(name));

function inEnvironment<const F extends Flags>(flags: F): F {
  return Object.fromEntries(Object.entries(flags).map(([name, flag]) => [name, { ...flag, env: true }])) as F;
}

/** The environment variable of a flag: `--connect-timeout` is `BATON_CONNECT_TIMEOUT`. */
export function variableOf(name: string): string {
  return `BATON_${name.toUpperCase().replaceAll('-', '_')}`;
}

/** Reads the arguments of a command with these flags and those of the connection. Throws what `parseArgs` throws. */
export function parseFlags<F extends Flags>(
  argv: readonly string[],
  flags: F,
  { allowPositionals = true } = {},
): { values: Values<F & typeof CONNECTION>; positionals: string[] } {
  const all = Object.entries<Flag>({ ...flags, ...CONNECTION });
  const options = Object.fromEntries(
    all.map(([name, flag]) => [
      name,
      { ...flag, type: flag.value === undefined ? ('boolean' as const) : ('string' as const) },
    ]),
  );
  const { values, positionals } = parseArgs({ args: [...argv], options, allowPositionals });
  return { values: values as Values<F & typeof CONNECTION>, positionals };
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** A value, and the flag or variable it was given by. */
export interface Given {
  readonly text: string;
  readonly what: string;
}

/** What a flag or its variable says, and which of them; an empty variable says nothing. */
export function readFlag<Name extends string>(
  name: Name,
  { [name]: flag }: { readonly [N in Name]?: string },
  env: Environment,
): Given | undefined {
  if (flag !== undefined) return { text: flag, what: `--${name}` };
  const what = variableOf(name);
  const text = env[what] ?? '';
  return text === '' ? undefined : { text, what };
}

/** Of a flag that is on or off, or its variable. */
export function isOn<Name extends string>(
  name: Name,
  { [name]: flag }: { readonly [N in Name]?: boolean },
  env: Environment,
): boolean {
  return flag === true || !['', '0', 'false'].includes(env[variableOf(name)] ?? '');
}

/** The library's sentence about options, in the words of the command line: `leaseMs` is `--lease`. */
export function inFlags(message: string): string {
  return Object.entries<Flag>(CONNECTION).reduce(
    (said, [name, { value }]) => {
      const option =
        name.replaceAll(/-(\w)/g, (_, letter) => letter.toUpperCase()) + (value === 'TIME' ? 'Ms' : '');
      return said.replaceAll(new RegExp(`\\b${option}(?= must| \\(\\d)`, 'g'), `--${name}`);
    },
    message
      .replaceAll(/\bconnect: /g, '')
      .replace(
        'ca, cert, key and servername in socketOptions',
        '--ca, --cert, --key and servername in --socket-options',
      ),
  );
}
