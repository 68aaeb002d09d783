import { describe, expect, it } from 'vitest';
import * as rules from './rules.ts';
import { filesOf, ROOT, type SourceFile, sourceFiles, testFiles } from './tree.ts';

/** One rule: the files it is about, and samples that it must refuse or let pass. */
interface Case {
  readonly rule: rules.Rule;
  readonly files: () => SourceFile[];
  readonly refused: Readonly<Record<string, string>>;
  readonly accepted?: Readonly<Record<string, string>>;
}

const everything = () => [...sourceFiles(), ...testFiles()];
/** This file is full of bad samples. */
const withoutSamples = () => everything().filter(({ path }) => !path.endsWith('/codebase.test.ts'));
const published = () =>
  filesOf(['.'], (path) => /\.(?:ts|js|mjs|json|ya?ml|md|sh|txt|conf)$|(?:^|\/)[^.]+$/.test(path)).filter(
    // npm writes the registry into the lock file itself.
    ({ path, text }) => path !== 'package-lock.json' && !text.includes('\0'),
  );
/** The log of bugs quotes the titles of its tests. */
const prose = () =>
  filesOf(
    ['src', 'test', 'bench', 'README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'docs'],
    // The history quotes names that are gone; the test about words has them all.
    (path) =>
      /\.(?:ts|md|py)$/.test(path) && path !== 'docs/history.md' && !path.startsWith('test/unit/codebase/'),
  );
// Put together here, so that this file does not break the rules it tests.
const from = (module: string) => ['from', `'${module}';`].join(' ');
const leftOut = (word: string) => `it.${word}`;
const place = (...parts: string[]) => ['', ...parts].join('/');
const queue = (dot: string, kind: string) => ['`baton', dot, '$', '{namespace}', dot, kind, '`'].join('');
const host = (...parts: string[]) => parts.join('.');

const CASES: Readonly<Record<string, Case>> = {
  'each package is imported only where it belongs': {
    rule: rules.packagesStayWhereTheyBelong,
    files: sourceFiles,
    refused: {
      'src/acquire/lock.ts': `import { connect } ${from('amqplib')}`,
      'src/rabbitmq/session.ts': `import type { Channel } ${from('amqplib')}`,
      'src/acquire/lease.ts': `import { z } ${from('zod')}`,
      'src/acquire/lock-records.ts': `import * as z ${from('zod/mini')}`,
      'src/coordinator.ts': `import { pino } ${from('pino')}`,
      'src/testing/index.ts': `import { GenericContainer } ${from('testcontainers')}`,
      'src/connect.ts': "const { connect } = await import('amqplib');",
      'src/clock.ts': "import 'pino';",
      'src/errors.ts': `import {\n  a,\n  b,\n} ${from('left-pad')}`,
    },
    accepted: {
      'src/rabbitmq/amqplib.ts': `import { connect } ${from('amqplib')}\nimport type { Socket } ${from('node:net')}`,
      'src/options.ts': `import { z } ${from('zod')}`,
      'src/acquire/lock.ts': `import { Lease } ${from('./lease.ts')}\n// import { connect } ${from('amqplib')}`,
    },
  },
  'the protocol imports nothing that acts': {
    rule: rules.protocolImportsNothingThatActs,
    files: sourceFiles,
    refused: {
      'src/protocol/a.ts': `import { connect } ${from('node:net')}`,
      'src/protocol/b.ts': `import { readFileSync } ${from('node:fs')}`,
      'src/protocol/c.ts': `import { setTimeout } ${from('node:timers/promises')}`,
      'src/protocol/d.ts': `import process ${from('node:process')}`,
      'src/protocol/token.ts': `import { createHash } ${from('node:crypto')}`,
      'src/protocol/contender/e.ts': `import { Session } ${from('../../rabbitmq/session.ts')}`,
      'src/protocol/g.ts': `import type { Session } ${from('../rabbitmq/session.ts')}`,
      'src/protocol/h.ts': `import { parseLockName } ${from('../options.ts')}`,
      'src/protocol/i.ts': `import type { Clock } ${from('../clock.ts')}`,
      'src/protocol/j.ts': `export { systemClock } ${from('../clock.ts')}`,
      'src/protocol/k.ts': `import type { GrantMode } ${from('../options.ts')}`,
    },
    accepted: {
      'src/protocol/queues.ts': `import { createHash } ${from('node:crypto')}`,
      'src/protocol/port.ts': `import type { Socket } ${from('node:net')}`,
      'src/protocol/contender/step.ts': `import type { Delivery } ${from('../port.ts')}`,
      'src/protocol/contender/types.ts': `import { LeaseLostError } ${from('../../errors.ts')}`,
    },
  },
  'the protocol reads no clock, no randomness and no process': {
    rule: rules.protocolReadsNoWorld,
    files: sourceFiles,
    refused: {
      'src/protocol/a.ts': 'const now = Date.now();',
      'src/protocol/b.ts': 'const now = performance.now();',
      'src/protocol/c.ts': 'const jitter = Math.random();',
      'src/protocol/d.ts': 'setTimeout(() => {}, 1);',
      'src/protocol/e.ts': 'const { pid } = process.env;',
      'src/protocol/f.ts': 'const now = new Date();',
      'src/protocol/g.ts': 'const id = randomUUID();',
    },
    accepted: {
      'src/protocol/a.ts': '// Date.now() would be wrong here.\nconst hash = createHash("sha256");',
      'src/clock.ts': 'const now = performance.now();',
    },
  },
  'names of queues are put together in one place': {
    rule: rules.queuesAreNamedInOnePlace,
    files: sourceFiles,
    refused: {
      'src/cli/a.ts': `const prefix = ${queue('.', 'lock.')};`,
      'src/cli/b.ts': `const pattern = ${queue('\\\\.', '(?:lock|slot)')};`,
      'src/cli/c.ts': 'const isSlot = /^baton\\.[^.]*\\.slot\\./.test(queue);',
    },
    accepted: {
      'src/protocol/queues.ts': `const prefix = ${queue('.', 'lock.')};`,
      'src/a.ts': `// ${queue('.', 'lock.')}`,
    },
  },
  'URLs with a login are taken apart in one place': {
    rule: rules.loginsAreReadInOnePlace,
    files: sourceFiles,
    refused: {
      'src/cli/a.ts': 'const url = URL.canParse(text) ? new URL(text) : undefined;',
      'src/jobs/b.ts': 'const user = decodeURIComponent(url.username);',
    },
    accepted: {
      'src/rabbitmq/address.ts': 'const url = URL.canParse(given) ? new URL(given) : undefined;',
      'src/cli/a.ts': "new URL('../../package.json', import.meta.url); const { password } = address;",
    },
  },
  'dependencies point inward': {
    rule: rules.dependenciesPointInward,
    files: sourceFiles,
    refused: {
      'src/rabbitmq/a.ts': `import { Coordinator } ${from('../coordinator.ts')}`,
      'src/rabbitmq/b.ts': `import type { Lock } ${from('../acquire/lock.ts')}`,
      'src/rabbitmq/c.ts': `import type { Line } ${from('../memory/line.ts')}`,
      'src/memory/a.ts': `import { bound } ${from('../rabbitmq/timing.ts')}`,
      'src/acquire/lock.ts': `import { connect } ${from('../connect.ts')}`,
      'src/acquire/lease.ts': `import type { Session } ${from('../rabbitmq/session.ts')}`,
      'src/jobs/schedule.ts': `import type { Lease } ${from('../acquire/lease.ts')}`,
    },
    accepted: {
      'src/coordinator.ts': `import { Lock } ${from('./acquire/lock.ts')}`,
      'src/rabbitmq/session.ts': `import type { Session } ${from('../protocol/port.ts')}`,
      'src/cli/dispatch.ts': `import { connect } ${from('../index.ts')}`,
    },
  },
  'no file imports itself in a circle': {
    rule: rules.nothingImportsItself,
    files: sourceFiles,
    refused: {
      'src/a.ts': `import { b } ${from('./b.ts')}`,
      'src/b.ts': `export { c } ${from('./deep/c.ts')}`,
      'src/deep/c.ts': `import type { A } ${from('../a.ts')}`,
    },
    accepted: {
      'src/a.ts': `import { b } ${from('./b.ts')}`,
      'src/b.ts': `import type { C } ${from('./c.ts')}`,
    },
  },
  'no source file has more than 300 lines': {
    rule: rules.noFileOverThreeHundredLines,
    files: sourceFiles,
    refused: { 'src/a.ts': 'x;\n'.repeat(301) },
    accepted: { 'src/a.ts': 'x;\n'.repeat(300) },
  },
  'no dump lies in the tree': {
    rule: rules.noDumps,
    files: () => filesOf(['.'], (path) => !path.endsWith('.tgz')),
    refused: { 'erl_crash.dump': '', 'test/unit/x.cpuprofile': '' },
    accepted: { 'docs/dumps.md': '' },
  },
  'the command listens to SIGUSR1 before it loads anything else': {
    rule: rules.signalsAreHeardFirst,
    files: sourceFiles,
    refused: {
      'src/cli/main.ts': `import './no-debugger.ts';\nimport { dispatch } ${from('./dispatch.ts')}`,
    },
    accepted: { 'src/cli/main.ts': "import './no-debugger.ts';\nawait import('./dispatch.ts');" },
  },
  'file names are in kebab-case': {
    rule: rules.namesAreKebabCase,
    files: everything,
    refused: {
      'src/memoryBroker.ts': '',
      'src/Lock.ts': '',
      'src/my_lock.ts': '',
      'test/unitTests/lock.test.ts': '',
    },
    accepted: { 'src/memory/queue.ts': '', 'test/unit/lock-name.test.ts': '' },
  },
  'nothing is a default export': {
    rule: rules.noDefaultExports,
    files: withoutSamples,
    refused: { 'src/a.ts': 'export default 1;', 'src/b.ts': 'export { a as default };' },
  },
  'the library prints nothing': {
    rule: rules.libraryPrintsNothing,
    files: sourceFiles,
    refused: {
      'src/a.ts': 'console.log(1);',
      'src/b.ts': "process.stderr.write('x');",
      'src/jobs/schedule.ts': "process.emitWarning('x');",
    },
    accepted: {
      'src/a.ts': '// no console here',
      'src/cli/main.ts': "process.stdout.write('x');",
      'src/jobs/trouble.ts': "process.emitWarning('x');",
      'src/acquire/own-holds.ts': "process.emitWarning('x');",
    },
  },
  'code of users is called in one place': {
    rule: rules.usersAreCalledInOnePlace,
    files: sourceFiles,
    refused: {
      'src/a.ts': "this.emit('done', report);",
      'src/b.ts': 'if (seedChannel.hasSubscribers) go();',
      'src/c.ts': 'seedChannel.publish({ lock });',
      'src/d.ts': 'traces.hold.start.publish(trace);',
    },
    accepted: {
      'src/callbacks.ts': 'if (channel.hasSubscribers) soon(() => channel.publish({ lock }));',
      'src/rabbitmq/a.ts': 'await channel.publish(queue, body);',
      'src/b.ts': "tell(this, 'done', report);",
    },
  },
  'fake timers stop nothing but the clock': {
    rule: rules.nothingWaitsForFakes,
    files: sourceFiles,
    refused: {
      'src/a.ts': 'queueMicrotask(go);',
      'src/testing/b.ts': 'setImmediate(resolve);',
      'src/memory/line.ts': 'process.nextTick(go);',
      'src/c.ts': `import { performance } ${from('node:perf_hooks')}`,
      'src/jobs/d.ts': 'setTimeout(go, 1);',
    },
    accepted: { 'src/clock.ts': 'setTimeout(go, 1);', 'src/rabbitmq/connection.ts': 'setImmediate(go);' },
  },
  'the command prints in one place': {
    rule: rules.commandPrintsInOnePlace,
    files: sourceFiles,
    refused: {
      'src/cli/a.ts': "process.stdout.write('x');",
      'src/cli/b.ts': "writeSync(2, 'x');",
      'src/cli/c.ts': 'const { stderr } = process;',
    },
    accepted: { 'src/cli/talk.ts': "writeSync(2, 'x');", 'src/cli/d.ts': 'process.stdin.isTTY' },
  },
  'a flag is declared once, and read with its variable in one place': {
    rule: rules.flagsAreDeclaredOnce,
    files: sourceFiles,
    refused: {
      'src/cli/a.ts': `import { parseArgs } ${from('node:util')}`,
      'src/cli/b.ts': 'const isQuiet = env.BATON_QUIET === "1";',
      'src/cli/c.ts': "const url = process.env['BATON_URL'];",
    },
    accepted: {
      'src/cli/flags.ts': `import { parseArgs } ${from('node:util')}`,
      'src/cli/a.ts': 'const env = { BATON_LOCK: lease.name };',
    },
  },
  'help and flags are told without loading what a command does': {
    rule: rules.helpLoadsNoWork,
    files: sourceFiles,
    refused: {
      'src/cli/ls/help.ts': `import { REDRAW_MS } ${from('./command.ts')}`,
      'src/cli/flags.ts': `import { connect } ${from('../index.ts')}`,
    },
    accepted: {
      'src/cli/ls/help.ts': `import { MANAGEMENT } ${from('../flags.ts')}`,
      'src/cli/ls/command.ts': `import { FLAGS } ${from('./help.ts')}`,
    },
  },
  'the library reads no environment': {
    rule: rules.libraryReadsNoEnvironment,
    files: sourceFiles,
    refused: {
      'src/a.ts': 'const url = process.env.BATON_URL;',
      'src/b.ts': 'const { env } = process;',
      'src/c.ts': `import { env } ${from('node:process')}`,
      'src/d.ts': "const url = process['env'].BATON_URL;",
    },
    accepted: { 'src/a.ts': 'const { pid } = process;' },
  },
  'no type is any': {
    rule: rules.noAny,
    files: withoutSamples,
    refused: {
      'src/a.ts': 'let a: any;',
      'src/b.ts': 'const b = a as any;',
      'src/c.ts': 'function c(...args: any[]) {}',
      'src/d.ts': 'const d = new Map<string, any>();',
      'src/e.ts': 'type E = string | any;',
      'src/f.ts': 'const f = (): any => 1;',
      'src/g.ts': 'interface G {\n  g: any\n}',
    },
    accepted: { 'src/a.ts': "const text = 'closed, any lease is lost'; await Promise.any([a]);" },
  },
  'no consumer is cancelled': {
    rule: rules.noConsumerIsCancelled,
    files: sourceFiles,
    refused: { 'src/acquire/contender.ts': 'await channel.cancel(tag);' },
    accepted: { 'src/acquire/contender.ts': 'const cancel = clock.setTimer(at, wake); cancel();' },
  },
  'amqplib is asked to consume in one place': {
    rule: rules.consumersAreMadeInOnePlace,
    files: sourceFiles,
    refused: {
      'src/rabbitmq/channel.ts': `import type { Channel } ${from('./amqplib.ts')}\nthis.#raw.consume(queue, take);`,
      'src/rabbitmq/b.ts': `import {\n  type ChannelModel,\n} ${from('./amqplib.ts')}\nawait channel.consume(queue, take);`,
    },
    accepted: {
      'src/rabbitmq/channel.ts': `import type { Channel } ${from('./amqplib.ts')}\nthis.#raw.consume(queue, take);`,
      'src/rabbitmq/contender-channel.ts': `import type { Message } ${from('./amqplib.ts')}\nchannel.consume(queue, take);`,
      'src/acquire/contender.ts': 'session.consume(queue, tag, listener);',
    },
  },
  'no test is left out': {
    rule: rules.noTestIsLeftOut,
    files: testFiles,
    refused: {
      'test/a.test.ts': `${leftOut('only')}('x', () => {});`,
      'test/b.test.ts': `${leftOut('skip')}('x', () => {});`,
      'test/c.test.ts': `${leftOut('todo')}('x');`,
      'test/d.test.ts': `describe.${'only'}.each([1])('x', () => {});`,
      'test/e.test.ts': `(context) => context.${'skip'}();`,
    },
    accepted: { 'test/a.test.ts': "it.each([1])('x', () => {}); list.skipped;" },
  },
  'every test file expects something': {
    rule: rules.everyTestFileExpects,
    files: testFiles,
    refused: {
      'test/a.test.ts': "it('x', () => { run(); });",
      'test/b.test.ts': '// expect(1)',
      'test/c.test.ts': `import { wait } ${from('./support/wait.ts')}\nimport type { Suite } ${from('./suite.ts')}`,
      'test/d.test.ts': `import { e } ${from('./a.test.ts')}`,
    },
    accepted: {
      'test/a.test.ts': 'expect(1).toBe(1);',
      'test/b.test.ts': `import { suite } ${from('./suite.ts')}\nsuite();`,
      'test/suite.ts': `export { cases as suite } ${from('./cases/all.ts')}`,
      'test/cases/all.ts': 'export const cases = () => expect(1).toBe(1);',
    },
  },
  'sources and documents say who acts, in plain words': {
    rule: rules.wordsArePlain,
    files: prose,
    refused: {
      'README.md': 'A purged queue is made anew.',
      'docs/a.md': 'Whoever has the token holds the lock.',
      'docs/b.md': 'It waits for\never.',
      'docs/c.md': 'The queue was made again.\n\nTest: _its title_.',
      'test/a.test.ts': "test('is granted to whoever waits', () => {});",
      'docs/a.py': '# tried for ever',
      'src/a.ts': '/**\n * Tried for\n * ever.\n */',
      'src/b.ts': '// Two looks of these days.',
      'src/c.ts': 'const vigil = 1;',
      'src/d.ts': "const says = 'no ledger';",
    },
    accepted: {
      'docs/a.md': 'For everybody. Straying.',
      'src/a.ts': '// A client that has the token holds the lock without end.',
    },
  },
  'no file names a machine, a home folder or a package registry': {
    rule: rules.namesNoMachine(ROOT),
    files: published,
    refused: {
      'README.md': `cd ${place('home', 'ada', 'batonmq')}`,
      'docs/a.md': `cd ${place('root', 'batonmq')}`,
      'docs/b.md': `cd ${place('Users', 'ada')}`,
      'package.json': `"https://${host('registry', 'npmjs', 'org')}/x"`,
      '.ci/run': `https://${host('deb', 'debian', 'org')}/debian`,
      'test/a.ts': `// see ${ROOT}/notes`,
    },
    accepted: { 'README.md': 'https://www.rabbitmq.com/docs/home/network and test/work/x' },
  },
};

describe.each(Object.entries(CASES))('%s', (_name, { rule, files, refused, accepted = {} }) => {
  const asFiles = (samples: Readonly<Record<string, string>>): SourceFile[] =>
    Object.entries(samples).map(([path, text]) => ({ path, text }));

  it('holds', () => {
    const looked = files();
    expect(looked.length).toBeGreaterThan(10);
    expect(rule(looked)).toEqual([]);
  });

  it('would be noticed if it did not', () => {
    const offenders = new Set(rule(asFiles(refused)).map((problem) => problem.split(': ')[0]));
    expect([...offenders].sort()).toEqual(Object.keys(refused).sort());
  });

  it('lets the rest pass', () => {
    expect(rule(asFiles(accepted))).toEqual([]);
  });
});
