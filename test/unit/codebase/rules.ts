import { posix } from 'node:path';
import { code, importsOf, type SourceFile } from './tree.ts';

/** Looks at all files at once and says, one sentence each, what is wrong. */
export type Rule = (files: readonly SourceFile[]) => string[];

/** A rule that forbids a text, comments aside. */
export function forbids(pattern: RegExp, what: string, where = (_path: string) => true): Rule {
  return (files) =>
    files
      .filter(({ path }) => where(path))
      .flatMap((file) => {
        const found = pattern.exec(code(file));
        return found === null ? [] : [`${file.path}: ${what}, found ${found[0].trim()}`];
      });
}

/** A rule about single imports: `judge` returns what is wrong with one, or undefined. */
function aboutImports(judge: (path: string, target: string, typeOnly: boolean) => string | undefined): Rule {
  return (files) =>
    files.flatMap((file) =>
      importsOf(file).flatMap(({ target, typeOnly }) => {
        const problem = judge(file.path, target, typeOnly);
        return problem === undefined ? [] : [`${file.path}: ${problem}, found ${target}`];
      }),
    );
}

const isPackage = (target: string, name: string) => target === name || target.startsWith(`${name}/`);
const inFolder = (path: string, folder: string) => path.startsWith(`${folder}/`);

/** Which files may import which packages; the packages that are not listed may not be imported at all. */
const PACKAGE_USERS: Readonly<Record<string, (path: string) => boolean>> = {
  amqplib: (path) => path === 'src/rabbitmq/amqplib.ts',
  zod: (path) =>
    inFolder(path, 'src/cli') ||
    [
      'src/options.ts',
      'src/urls.ts',
      'src/validation.ts',
      'src/protocol/token.ts',
      'src/protocol/register/entry.ts',
      'src/jobs/options.ts',
      'src/jobs/record.ts',
    ].includes(path),
  uuid: (path) => !inFolder(path, 'src/protocol'),
  croner: (path) => inFolder(path, 'src/jobs'),
  pino: (path) => inFolder(path, 'src/cli'),
  '@opentelemetry/api': (path) => inFolder(path, 'src/otel'),
};

export const packagesStayWhereTheyBelong = aboutImports((path, target) => {
  if (target.startsWith('node:') || target.startsWith('src/')) return undefined;
  const name = Object.keys(PACKAGE_USERS).find((known) => isPackage(target, known));
  if (name === undefined) return 'src imports only its own files, node: modules and its dependencies';
  return PACKAGE_USERS[name]?.(path) ? undefined : `${name} may not be imported here`;
});

export const protocolImportsNothingThatActs = aboutImports((path, target, typeOnly) => {
  if (!inFolder(path, 'src/protocol') || inFolder(target, 'src/protocol')) return undefined;
  if (target === 'zod' || target === 'src/errors.ts') return undefined;
  if (target === 'node:crypto' && path === 'src/protocol/queues.ts') return undefined;
  // The sockets of lock connections are passed on, and never touched.
  if (target === 'node:net' && path === 'src/protocol/port.ts' && typeOnly) return undefined;
  return 'the protocol is pure and imports nothing of the outer layers';
});

/** A wire format: who spells it otherwise looks at other queues. */
export const queuesAreNamedInOnePlace = forbids(
  /\bbaton\\*\.(?:\$\{|\[)/,
  'queues.ts alone puts names of queues together and takes them apart',
  (path) => inFolder(path, 'src') && path !== 'src/protocol/queues.ts',
);

/** What a login in a URL needs (percent-encoding, no quoting, a host that ends where it should) is minded there. */
export const loginsAreReadInOnePlace = forbids(
  /\b(?:canParse|URL\.parse)\b|\burl\??\.(?:username|password|hostname)\b/i,
  'address.ts alone takes URLs apart, and hides passwords',
  (path) => inFolder(path, 'src') && path !== 'src/rabbitmq/address.ts',
);

/** Time, identity and randomness are inputs of the protocol. */
export const protocolReadsNoWorld = forbids(
  /\b(?:Date\.now|new Date|Date\(|performance\b|Math\.random|process\.\w|globalThis\b|fetch\(|random\w+\(|create(?!Hash\()\w+\(|getRandomValues|(?:set|clear)(?:Timeout|Interval|Immediate)\b|queueMicrotask)/,
  'the protocol takes time, identity and randomness as inputs',
  (path) => inFolder(path, 'src/protocol'),
);

/** Which rooms each room may look into, besides itself; the files at the top of src that are no {@link LOBBY} belong to nobody. */
const ROOMS: Readonly<Record<string, readonly string[]>> = {
  protocol: [],
  rabbitmq: ['protocol'],
  memory: ['protocol'],
  acquire: ['protocol'],
  jobs: [],
  otel: ['protocol'],
  testing: ['memory', 'protocol'],
  cli: ['acquire', 'jobs', 'protocol', 'rabbitmq'],
};
/** They put the rooms together. */
const LOBBY = ['src/index.ts', 'src/connect.ts', 'src/coordinator.ts'];
const GUESTS = ['testing', 'cli'];

const roomOf = (path: string) => /^src\/([\w-]+)\//.exec(path)?.[1];

export const dependenciesPointInward = aboutImports((path, target) => {
  const [from, to] = [roomOf(path), roomOf(target)];
  if (from === undefined || from === to || !target.startsWith('src/')) return undefined;
  if (LOBBY.includes(target))
    return GUESTS.includes(from) ? undefined : `${from} does not reach back to those who use it`;
  if (to === undefined || ROOMS[from]?.includes(to)) return undefined;
  return `${from} does not look into ${to}`;
});

/** Types count: who reads one file of a circle has to read them all. */
export const nothingImportsItself: Rule = (files) => {
  const edges = new Map(files.map((file) => [file.path, importsOf(file).map(({ target }) => target)]));
  const reaches = (from: string, to: string, seen = new Set<string>()): boolean =>
    (edges.get(from) ?? []).some((next) => {
      if (next === to) return true;
      if (seen.has(next)) return false;
      seen.add(next);
      return reaches(next, to, seen);
    });
  return files
    .filter(({ path }) => reaches(path, path))
    .map(({ path }) => `${path}: imports itself in a circle`);
};

export const noFileOverThreeHundredLines: Rule = (files) =>
  files.flatMap(({ path, text }) => {
    const lines = text.replace(/\n$/, '').split('\n').length;
    return lines > 300 ? [`${path}: at most 300 lines, found ${lines}`] : [];
  });

/** What a broker or a profiler of a test left behind: it belongs into that test's own folder. */
export const noDumps: Rule = (files) =>
  files
    .filter(({ path }) => /\.(?:dump|core|cpuprofile|heapsnapshot)$/.test(path))
    .map(({ path }) => `${path}: is a dump`);

/** What is imported statically is loaded, all of it, before the first line is run: 40 to 300 ms here. */
export const signalsAreHeardFirst: Rule = (files) =>
  files
    .filter(({ path }) => path === 'src/cli/main.ts')
    .filter((file) => (code(file).match(/^import .*$/gm) ?? []).join() !== "import './no-debugger.ts';")
    .map(({ path }) => `${path}: imports nothing but no-debugger.ts statically`);

export const namesAreKebabCase: Rule = (files) =>
  files
    .filter(({ path }) => {
      const name = posix.basename(path).replace(/(?:\.(?:test|bench|config))?\.ts$/, '');
      return ![...posix.dirname(path).split('/'), name].every((part) =>
        /^[a-z0-9]+(?:-[a-z0-9]+)*$/.test(part),
      );
    })
    .map(({ path }) => `${path}: file and folder names are in kebab-case`);

export const noDefaultExports = forbids(/\bexport\s+default\b|\bas\s+default\b/, 'exports have names');

const inLibrary = (path: string) => !inFolder(path, 'src/cli');

const printsNothing = forbids(
  /\bconsole\b|\bprocess\.(?:stdout|stderr)\b/,
  'the library prints nothing',
  inLibrary,
);
/** A job that cannot run and nobody listens, a wait for oneself: these are worth a word on the user's screen, and nothing else is. */
const WARN = ['src/jobs/trouble.ts', 'src/acquire/own-holds.ts'];
const warnsInFewPlaces = forbids(
  /\bemitWarning\b/,
  'a warning of the process is for what would go unnoticed',
  (path) => inLibrary(path) && !WARN.includes(path),
);

export const libraryPrintsNothing: Rule = (files) => [...printsNothing(files), ...warnsInFewPlaces(files)];

/** Inside a step of ours a listener's exception would end it half-way, and a call back would find it half done. */
export const usersAreCalledInOnePlace = forbids(
  /\bthis\.emit\(|\bhasSubscribers\b|\b\w*[cC]hannel\.publish\(\{|\.(?:start|end|error|asyncStart|asyncEnd)\.publish\(/,
  'callbacks.ts alone emits and publishes',
  (path) => inLibrary(path) && path !== 'src/callbacks.ts',
);

/** What the broker in memory runs through goes on under fake timers: clock.ts alone follows them. */
export const nothingWaitsForFakes = forbids(
  /\b(?:queueMicrotask|setImmediate|nextTick|setTimeout|setInterval)\b|\bnode:(?:timers|perf_hooks)\b/,
  'fake timers would stop this',
  (path) =>
    inLibrary(path) && !/^src\/(?:callbacks|clock|testing\/fake-timers)\.ts$|^src\/rabbitmq\//.test(path),
);

/** What others wrote is made visible there, and nothing is cut off at the end. */
export const commandPrintsInOnePlace = forbids(
  /\bconsole\b|\bprocess\.(?:stdout|stderr)\b|\{[^}]*\b(?:stdout|stderr)\b[^}]*\}\s*=\s*process\b|\bwriteSync\b/,
  'the command prints by talk.ts',
  (path) => inFolder(path, 'src/cli') && path !== 'src/cli/talk.ts',
);

/** From a flag's declaration come its parsing, its variable, `--help` and the check of docs/cli.md. */
export const flagsAreDeclaredOnce = forbids(
  /\bparseArgs\b|\benv(?:\?\.|\.|\[['"`])BATON_/,
  'the command reads flags and their variables by flags.ts',
  (path) => inFolder(path, 'src') && path !== 'src/cli/flags.ts',
);

/** The library takes three times as long to load as all else that --help does; a shell completes a word with it. */
export const helpLoadsNoWork = aboutImports((path, target) => {
  const isHelp = /^src\/cli\/(?:[\w-]+\/)?(?:help|flags)\.ts$/.test(path);
  if (!isHelp || ['src/cli/flags.ts', 'src/cli/help.ts', 'node:util'].includes(target)) return undefined;
  return 'help and flags load nothing else';
});

export const libraryReadsNoEnvironment = forbids(
  /\bprocess\s*(?:\?\.|\.)\s*env\b|\bprocess\[|\benv\b[^;]*\}\s*=\s*process\b|from ['"]node:process['"]/,
  'the library reads no environment',
  inLibrary,
);

export const noAny = forbids(
  /(?:[:<|&,=]|=>|\b(?:as|extends|is|keyof))\s*any\b\s*(?:\[\]\s*)*(?=[;,)>|&=\]{}]|\n|$)/m,
  'any is not a type here',
);

/** To cancel a consumer leaves its unacknowledged token with the channel: a waiter gives up by closing its channel. */
export const noConsumerIsCancelled = forbids(
  /\.\s*(?:cancel|basicCancel)\s*\(/,
  'a consumer ends with its channel and is never cancelled',
  // The in-memory broker plays the server's side, where consumers do get cancelled.
  (path) => !inFolder(path, 'src/memory'),
);

const HAS_CHANNELS =
  /\b(?:Channel|ConfirmChannel|ChannelModel)\b[^;]*\bfrom ['"](?:\.\/amqplib\.ts|amqplib)['"]/;

/** Acknowledgement mode, tag and exclusiveness of a lock's consumer are settled in one place. */
export const consumersAreMadeInOnePlace: Rule = (files) => {
  const places = files
    .filter((file) => HAS_CHANNELS.test(code(file)))
    .flatMap((file) => [...code(file).matchAll(/\.\s*consume\s*\(/g)].map(() => file.path));
  return places.length > 1
    ? places.map((path) => `${path}: one of ${places.length} places that consume`)
    : [];
};

export const noTestIsLeftOut = forbids(
  /\.(?:only|skip|todo)\s*[.(<`]|\bx(?:it|test|describe)\s*\(/,
  'every test runs',
);

/** In the file itself, or in a suite that it runs; what merely helps (test/support) does not count. */
export const everyTestFileExpects: Rule = (files) => {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const expects = (path: string, seen = new Set<string>()): boolean => {
    const file = byPath.get(path);
    if (file === undefined || seen.has(path) || inFolder(path, 'test/support')) return false;
    seen.add(path);
    if (/\bexpect\w*[(.]/.test(code(file))) return true;
    return importsOf(file).some(({ target, typeOnly }) => !typeOnly && expects(target, seen));
  };
  return files
    .filter(({ path }) => path.endsWith('.test.ts') && !expects(path))
    .map(({ path }) => `${path}: a test file expects something`);
};

/** Words that hide who acts, or that have to be learned, and what is written in their place. */
const WORDS: Readonly<Record<string, string>> = {
  anew: 'again, or what is done: a client replaces the token, recreates the queue',
  'made again': 'recreated, replaced',
  'for ever': 'without end, for good, until …',
  'of these days': 'recent',
  'whom?ever': 'the client that …, a caller that …',
  'strays?|astray': 'foreign message',
  'vigils?': 'token watch',
  'ledgers?': 'records',
};
const FORBIDDEN = Object.entries(WORDS).map(([word, instead]) => ({
  pattern: new RegExp(`\\b(?:${word.replaceAll(' ', '[\\s*]+')})\\b`, 'i'), // lines end anywhere, and in comments with an asterisk
  instead,
}));

/** Comments count here: these are about what a stranger reads. */
export const wordsArePlain: Rule = (files) =>
  files.flatMap(({ path, text }) =>
    FORBIDDEN.flatMap(({ pattern, instead }) => {
      const found = pattern.exec(text);
      return found === null ? [] : [`${path}: say ${instead}; found ${found[0]}`];
    }),
  );

const HOME = /(?<![\w.~/-])\/(?:home|root|Users|work(?:space|dir)?)\/[\w.-]+/;
const REGISTRIES =
  /\b(?:registry(?:-1)?\.(?:npmjs|yarnpkg|docker)|deb\.debian\.\w|security\.debian\.\w|(?:archive|security)\.ubuntu\.\w|pypi\.\w|proxy\.golang\.\w)/;

/** Comments count here, too. */
export function namesNoMachine(checkout: string): Rule {
  const places = [HOME, REGISTRIES];
  return (files) =>
    files.flatMap(({ path, text }) => {
      const found = places.map((place) => place.exec(text)?.[0]).find((it) => it !== undefined);
      if (found !== undefined) return [`${path}: names a place that only one machine has, found ${found}`];
      return text.includes(`${checkout}/`) ? [`${path}: names the folder of this checkout`] : [];
    });
}
